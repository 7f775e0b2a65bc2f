"""Orders of the recovery actor to sessions, by way of their hosts, and the answers to them."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from thespian.actors import ActorAddress

from actors.messages.services import Command, CommandResult
from actors.recovery.strategies import Strategy
from actors.session.causes import Cause
from actors.store.records import Action

NOT_OPEN = "not_open"
"""Why a session refuses that has no open connection to end (``session.commands``)."""
KEPT = 1000
"""Orders whose answer is awaited; an answer to an older one changes nothing."""


@dataclass(frozen=True, slots=True)
class Given:
    """An order without an answer so far."""

    session: str
    asked: Command | None = None
    """The operator's command that it came from."""
    again: bool = False
    """Perhaps it had been given before."""


class Orders:
    """``tell`` sends to a named actor, and says whether there is one; ``post`` answers those who asked."""

    def __init__(
        self, tell: Callable[[str, Any], bool], post: Callable[[ActorAddress, Any], None], reply_to: ActorAddress
    ) -> None:
        self._tell = tell
        self._post = post
        self._reply_to = reply_to
        self._ids = itertools.count(int(time.time() * 1000))
        self._given: dict[int, Given] = {}

    def give(self, session: str, shard: str, strategy: Strategy, cause: str, asked: Command | None = None) -> bool:
        """Whether there was somebody to give it to.

        A new connection that an operator wants is what operators could always order: also of a session that rests.
        """
        return self._send(shard, strategy, cause, Given(session, asked), forced=asked is not None)

    def repeat(self, shard: str, action: Action) -> bool:
        """Gives what the ledger says was ordered, whether it was given before or not; so as ``give``."""
        forced = action.why.get("by") is not None
        cause = str(Cause.OPERATOR_RECONNECT) if forced else action.cause
        return self._send(shard, Strategy(action.strategy), cause, Given(action.session, again=True), forced=forced)

    def _send(self, shard: str, strategy: Strategy, cause: str, given: Given, *, forced: bool) -> bool:
        id = next(self._ids)
        what = Strategy.RECONNECT if strategy is Strategy.SLOW_LANE else strategy
        name = "reconnect" if forced and what is Strategy.RECONNECT else "heal"
        args = {"cause": cause, "strategy": str(what)}
        self._given[id] = given
        if len(self._given) > KEPT:
            del self._given[next(iter(self._given))]
        return self._tell(f"{shard}/host", Command(id, given.session, name, args, self._reply_to))

    def answered(self, result: CommandResult) -> str | None:
        """Passes the answer on to who asked; the session whose order was refused, or None."""
        given = self._given.pop(result.correlation, None)
        if given is None:
            return None
        if given.asked is not None:
            self._post(given.asked.reply_to, replace(result, correlation=given.asked.correlation))
        if given.again and result.error is not None and result.error[0] == NOT_OPEN:
            return None  # it had it already, and is closing its connection: that is told
        return given.session if result.error is not None else None
