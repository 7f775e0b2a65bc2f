"""What recovery orders about a session of this host: a new connection, a fresh actor, a fresh connector process."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

from thespian.actors import ActorAddress

from actors.connectors.host.connectors import Connectors
from actors.connectors.host.recycling import Recycling
from actors.connectors.host.roster import Roster
from actors.connectors.protocol import Phase
from actors.messages.services import Command, CommandResult, ShardPauses
from actors.messages.supervision import RestartSession

CLOSED_PATIENCE = 16.0
"""Seconds for a session to have closed its connection, after which its actor is replaced in any case."""


class Healing:
    """``post`` sends to an address, ``tell`` to a named actor; ``supervisor`` and ``name`` are the shard's."""

    def __init__(
        self,
        connectors: Connectors,
        recycling: Recycling,
        roster: Roster,
        supervisor: ActorAddress,
        post: Callable[[Any, Any], None],
        spawn: Callable[..., Any],
        tell: Callable[[str, Any], bool],
        name: str,
    ) -> None:
        self._connectors = connectors
        self._recycling = recycling
        self._roster = roster
        self._supervisor = supervisor
        self._post = post
        self._spawn = spawn
        self._restarting: set[str] = set()
        self._tell = tell
        self._name = name
        self._paused: dict[str, float] | None = None
        """What recovery was told.  None: nothing so far, and what an earlier host told still holds there."""

    def order(self, message: Command) -> bool:
        """Begins what is ordered, and answers; False if the session itself does all of it."""
        strategy, session, now = message.args.get("strategy"), message.session, time.time()
        if session not in self._roster:
            self._answer(message, f"there is no session {session} here")
        elif self._roster.is_paused(session, now):
            # main orders nothing that it has paused: the end of the pause is on its way here
            self._answer(message, "its connector host has not heard yet that its pause is over", "unavailable")
        elif strategy == "failover" and any(self._roster.is_paused(id, now) for id in self._roster.ids()):
            self._answer(message, "recovery of another session of its connector process is paused")
        elif strategy == "failover":
            self._answer(message, self._recycling.ask(session))
        elif strategy == "restart":
            if session not in self._restarting:
                self._restarting.add(session)
                self._spawn(self._restart(message), name=f"restart of {session}")
            self._answer(message, None)
        else:
            return False
        return True

    def tell_pauses(self, *, again: bool = False) -> None:
        """Recovery orders nothing for a session that is paused.  ``again``: it may have started afresh."""
        paused = self._roster.pauses()
        if (paused != self._paused or (again and paused)) and self._tell("recovery", ShardPauses(self._name, paused)):
            self._paused = paused

    def _answer(self, message: Command, why_not: str | None, code: str = "refused") -> None:
        error = None if why_not is None else (code, why_not)
        self._post(message.reply_to, CommandResult(message.correlation, error=error))

    async def _restart(self, message: Command) -> None:
        """First the end of the connection, if the session brings it about: the actor after it would take it over."""
        session, phase = message.session, self._connectors.phase
        address = self._roster.address(session)
        if address is not None and phase(session) is Phase.OPEN:
            self._post(address, Command(0, session, "heal", message.args, message.reply_to))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSED_PATIENCE):
                    while phase(session) is Phase.OPEN:
                        self._connectors.news.clear()
                        await self._connectors.news.wait()
        self._restarting.discard(session)
        self._post(self._supervisor, RestartSession(session))
