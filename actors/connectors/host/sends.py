"""The sends of a shard: which session may send now; each sends one message after the other, in the order of acceptance.

A send gets its WhatsApp message id when it is taken over from the table of sends (``intake``); it waits in the shard's
database (``readahead``) until the connector gets it (``handover``).
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

from actors.connectors.host.handover import Handover
from actors.connectors.host.intake import Intake
from actors.connectors.host.journal import Journal
from actors.connectors.host.readahead import ReadAhead
from actors.runtime.rpc import Link
from actors.store import shard_queries
from actors.store.engine import Database

PAGE = 200
"""Sends given up in one transaction."""


class Sends:
    """The sends of one shard.  ``link`` returns the link to a session's connector, or None while there is none.

    ``awaited`` is called in the transaction that stores what became of a send.
    """

    def __init__(
        self,
        shard: int,
        journal: Journal,
        api: Database,
        link: Callable[[str], Link | None],
        ack_timeout: float,
        spawn: Callable[[Any], Any],
        awaited: Callable[[], None] = lambda: None,
    ) -> None:
        self._journal = journal
        self._spawn = spawn
        self._ahead = ReadAhead(journal)
        self._intake = Intake(shard, journal, api, self._taken)
        self._handover = Handover(journal, api, self._ahead, link, ack_timeout, awaited)
        self._open: set[str] = set()
        self._busy: set[str] = set()
        self._held: dict[str, asyncio.Event] = {}
        """Sessions that are handed nothing now; set when nothing of theirs is under way any more."""
        self._refusing: dict[str, str] = {}
        """Sessions that will not send by themselves, and why: what they are given has failed."""

    def use(self, ack_timeout: float) -> None:
        """How long the connector may take to tell of an acknowledgement, in seconds."""
        self._handover.use(ack_timeout)

    async def restore(self, refusing: Mapping[str, str]) -> None:
        """Takes up what an earlier host left unfinished, then what is new."""
        await self._intake.restore()
        for session in await self._journal.read(shard_queries.count_unfinished):
            self._offer(session)
        self.judge(refusing)
        await self.take()

    async def take(self) -> None:
        """Takes new sends over from the table; what can't be read now is read at the next call."""
        await self._intake.take()

    def _taken(self, session: str) -> None:
        if (cause := self._refusing.get(session)) is not None:
            self._give_up(session, cause)
        else:
            self._offer(session)

    def _offer(self, session: str) -> None:
        self._ahead.add(session)
        self._pump(session)

    def phase(self, session: str, phase: str) -> None:
        """A connection opened or closed."""
        if phase == "open":
            self._open.add(session)
            self._pump(session)
        else:
            self._open.discard(session)

    @contextlib.asynccontextmanager
    async def held(self, session: str, patience: float) -> AsyncIterator[None]:
        """Hands over nothing of the session within the block, which begins when nothing of it is under way any more.

        After ``patience`` seconds it begins in any case.
        """
        quiet = self._held[session] = asyncio.Event()
        try:
            if session in self._busy:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(patience):
                        await quiet.wait()
            yield
        finally:
            del self._held[session]
            self._pump(session)

    def refuse(self, session: str, cause: str) -> None:
        """The session will not send any more by itself: what waits, and what comes, has failed."""
        self._refusing[session] = cause
        self._give_up(session, cause)

    def _give_up(self, session: str, cause: str) -> None:
        """What waits has failed; what is handed over at this moment may still turn out to have arrived."""
        self._ahead.drop(session)
        self._spawn(self._fail(session, cause))

    def judge(self, refusing: Mapping[str, str]) -> None:
        """Exactly these sessions will not send by themselves."""
        for session in self._refusing.keys() - refusing.keys():
            self.allow(session)
        for session, cause in refusing.items():
            if self._refusing.get(session) != cause:
                self.refuse(session, cause)

    def allow(self, session: str) -> None:
        """The session may send again."""
        self._refusing.pop(session, None)

    def forget(self, sessions: Iterable[str]) -> None:
        """The sessions are no more.  Whether a connection is open is the connector's to say."""
        gone = list(sessions)
        self._ahead.forget(gone)
        for session in gone:
            self._refusing.pop(session, None)

    async def _fail(self, session: str, cause: str) -> None:
        now = time.time()
        while await self._journal.insist(
            lambda conn: shard_queries.fail_unfinished(conn, session, cause, now, PAGE), "the end of sends"
        ):
            pass

    def _pump(self, session: str) -> None:
        free = session in self._open and session not in self._held and session not in self._busy
        if free and self._ahead.waits(session):
            self._busy.add(session)
            self._spawn(self._drain(session))

    def waits(self, session: str) -> bool:
        """Whether a session has something to send, as far as is known without reading."""
        return self._ahead.waits(session)

    async def _drain(self, session: str) -> None:
        """One message at a time: their order is the order of acceptance."""
        try:
            while session in self._open - self._held.keys() and (item := await self._ahead.first(session)) is not None:
                pause = await self._handover.attempt(item)
                if pause is not None:
                    await asyncio.sleep(pause)
        finally:
            self._busy.discard(session)
            if (quiet := self._held.get(session)) is not None:
                quiet.set()
        self._pump(session)
