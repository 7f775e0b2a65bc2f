"""The transitions of a shard's sessions: each is stored before anybody acts on it, in the order of its session."""

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from thespian.actors import ActorAddress

from actors.connectors.host.gatekeeper import Gatekeeper
from actors.connectors.host.hints import Hints
from actors.connectors.host.journal import Journal
from actors.connectors.host.notices import Notices
from actors.connectors.host.outdated import Outdated
from actors.connectors.host.roster import Roster, refusal
from actors.connectors.host.sends import Sends
from actors.messages.sessions import Transition, TransitionStored
from actors.store import shard_queries
from actors.store.direct import Statements
from actors.store.errors import StoreError
from actors.store.records import SessionState

log = logging.getLogger(__name__)


class Transitions:
    """A session repeats what was not confirmed.  ``post`` sends it the confirmation."""

    def __init__(
        self,
        journal: Journal,
        hints: Hints,
        roster: Roster,
        outdated: Outdated,
        gate: Gatekeeper,
        sends: Sends,
        notices: Notices,
        post: Callable[[Any, Any], None],
    ) -> None:
        self._journal = journal
        self._hints = hints
        self._roster = roster
        self._outdated = outdated
        self._gate = gate
        self._sends = sends
        self._notices = notices
        self._post = post
        self._owed: dict[str, tuple[int, int]] = {}
        """The life and the number of the first transition of a session that could not be stored."""

    async def take(self, message: Transition, sender: ActorAddress) -> None:
        """Stores and confirms one, then has it take effect; one that can't be stored comes again."""
        if message.session not in self._roster:
            return  # it was removed
        state = self._outdated.marked(
            SessionState(
                session=message.session,
                incarnation=message.life,
                number=message.number,
                state=message.state,
                since=message.at,
                cause=message.cause,
                code=message.code,
                data=message.data,
            )
        )
        if await self._store(state):
            self._roster.stored(state)
            self._gate.stored(state)
            self._post(sender, TransitionStored(message.session, message.life, message.number))
            self._act(state)

    async def _store(self, state: SessionState) -> bool:
        async def store(conn: Statements) -> bool:
            owed = self._owed.get(state.session)
            if owed is not None and owed[0] == state.incarnation and owed[1] < state.number:
                return False  # one before it could not be stored: both come again, in their order
            await shard_queries.store_transition(conn, state)
            self._hints.concerns_all()
            return True

        try:
            if not await self._journal.write(store):
                return False
        except StoreError as error:
            self._journal.watch.tell(log, "a transition could not be stored, it will come again", error)
            owed = self._owed.get(state.session)
            if owed is None or (owed[0], state.number) < (state.incarnation, owed[1]):
                self._owed[state.session] = (state.incarnation, state.number)
            return False
        if self._owed.get(state.session, (0, 0)) <= (state.incarnation, state.number):
            self._owed.pop(state.session, None)
        return True

    def _act(self, state: SessionState) -> None:
        if self._roster.unaware(state, time.time()):
            self._notices.pause(state.session)
        if (cause := refusal(state)) is not None:
            self._sends.refuse(state.session, cause)
        else:
            self._sends.allow(state.session)

    def forget(self, sessions: Iterable[str]) -> None:
        """They are no more."""
        for session in sessions:
            self._owed.pop(session, None)
