"""Reading on in the outboxes of the shards and of health, up to where the ledger is."""

import logging
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

from actors.events import EventType
from actors.recovery.book import Known
from actors.recovery.ledger import Ledger
from actors.settings import Settings
from actors.store import outbox, shard_queries
from actors.store.engine import Database, open_reader
from actors.store.errors import StoreError
from actors.store.records import OutboxEvent
from actors.store.shard_tails import shards_in
from actors.store.watch import StoreWatch

log = logging.getLogger(__name__)

PAGE = 500
"""Events accounted for in one transaction."""
OF_HEALTH = (EventType.HEALTH_LIVENESS, EventType.HEALTH_PROOF)
HEALTH = "health"


@dataclass(frozen=True, slots=True)
class Whole:
    """A reading of all outboxes."""

    behind: frozenset[str] = frozenset()
    """Shards, or health, of which not all could be read: nothing is done on half of the news."""
    upto: int | None = None
    """Where the ledger's outbox ends now; None if nothing was added."""


def is_behind(known: Known | None, behind: Collection[str]) -> bool:
    """Whether there may be unread news of a session that stands there; None: of whom nothing is known so far."""
    return bool(behind) if known is None else known.shard in behind


class Follower:
    """An error is repeated at the next reading."""

    def __init__(self, settings: Settings, ledger: Ledger, watch: StoreWatch) -> None:
        self._settings = settings
        self._ledger = ledger
        self._watch = watch
        self._readers: dict[str, Database] = {}
        self._kept: dict[tuple[str | None, str], OutboxEvent] = {}
        """(session, type) -> the last that health told of it, not accounted for so far; the ledger has its number."""

    async def read_all(self) -> Whole:
        """Reads on everywhere: first where the sessions tell of themselves, then what health thinks of them."""
        reached: int | None = None
        behind = set()
        for source in sorted(shards_in(self._settings.state_dir)):
            try:
                reached = await self._account(source) or reached
            except StoreError as error:
                self._watch.tell(log, f"the ledger of {source} is behind", error)
                behind.add(source)
        try:
            reached = await self._account_health(behind) or reached
        except StoreError as error:
            self._watch.tell(log, "the ledger of health is behind", error)
            behind.add(HEALTH)
        return Whole(frozenset(behind), reached)

    async def read(self, source: str) -> int | None:
        """Reads on in one shard's outbox; returns where the ledger's outbox ends if something was added."""
        try:
            return await self._account(source)
        except StoreError as error:
            self._watch.tell(log, f"the ledger of {source} is behind", error)
            return None

    @asynccontextmanager
    async def _opening(self, source: str) -> AsyncIterator[Database]:
        """Keeps the reader if nothing goes wrong."""
        reader = await open_reader(self._settings.database(source))
        try:
            if await self._ledger.resume(source, await reader.run(outbox.origin)):
                log.warning("%s is another one than before: its events are read from the first on", source)
            yield reader
        except BaseException:
            await reader.close()
            raise
        self._readers[source] = reader

    async def _account(self, source: str) -> int | None:
        if source not in self._readers:
            async with self._opening(source) as reader:
                self._ledger.book.states(source, await reader.run(shard_queries.load_states))
        upto: int | None = None
        while True:
            cursor = await self._ledger.cursor(source)
            events = await self._readers[source].run(lambda conn, after=cursor: outbox.read_after(conn, after, PAGE))  # type: ignore[misc]
            if not events:
                return upto
            upto = await self._ledger.account(source, events)

    async def _account_health(self, behind: Collection[str]) -> int | None:
        """What health tells of sessions of shards that are behind is kept until those have told of themselves."""
        if HEALTH not in self._readers:
            async with self._opening(HEALTH) as reader:
                numbers = await self._ledger.left(HEALTH)
                kept_before = await reader.run(lambda conn: outbox.read_some(conn, numbers))
                self._kept = {(event.session, event.type): event for event in kept_before}
        upto: int | None = None
        while True:
            cursor = await self._ledger.cursor(HEALTH)
            fresh, last = await self._readers[HEALTH].run(
                lambda conn, after=cursor: outbox.read_kinds_after(conn, after, OF_HEALTH, PAGE)  # type: ignore[misc]
            )
            due, kept = [], dict[tuple[str | None, str], OutboxEvent]()
            for event in sorted((*self._kept.values(), *fresh), key=lambda event: event.seq):
                if is_behind(self._ledger.book.known.get(event.session or ""), behind):
                    kept[event.session, event.type] = event
                else:
                    due.append(event)
            if last <= cursor and not due:
                return upto
            left = None if kept == self._kept else [event.seq for event in kept.values()]
            upto = await self._ledger.account(HEALTH, due, max(cursor, last), left)
            self._kept = kept

    async def close(self) -> None:
        """Closes the databases."""
        for reader in self._readers.values():
            await reader.close()
