"""Reading on in the outboxes of the shards and of health, up to where the ledger is."""

import logging
from dataclasses import dataclass

from actors.events import EventType
from actors.recovery.ledger import Ledger
from actors.settings import Settings
from actors.store import outbox, shard_queries
from actors.store.engine import Database, open_reader
from actors.store.errors import StoreError
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

    complete: bool
    upto: int | None = None
    """Where the ledger's outbox ends now; None if nothing was added."""


class Follower:
    """An error is repeated at the next reading."""

    def __init__(self, settings: Settings, ledger: Ledger, watch: StoreWatch) -> None:
        self._settings = settings
        self._ledger = ledger
        self._watch = watch
        self._readers: dict[str, Database] = {}

    async def read_all(self) -> Whole:
        """Reads on everywhere: first where the sessions tell of themselves, then what health thinks of them."""
        reached: int | None = None
        try:
            for source in sorted(shards_in(self._settings.state_dir)):
                reached = await self._account(source) or reached
            reached = await self._account_health() or reached
        except StoreError as error:
            self._watch.tell(log, "the ledger is behind", error)
            return Whole(complete=False, upto=reached)
        return Whole(complete=True, upto=reached)

    async def read(self, source: str) -> int | None:
        """Reads on in one shard's outbox; returns where the ledger's outbox ends if something was added."""
        try:
            return await self._account(source)
        except StoreError as error:
            self._watch.tell(log, f"the ledger of {source} is behind", error)
            return None

    async def _account(self, source: str) -> int | None:
        if source not in self._readers:
            reader = await open_reader(self._settings.database(source))
            self._ledger.book.states(source, await reader.run(shard_queries.load_states))
            self._readers[source] = reader
        upto: int | None = None
        while True:
            cursor = await self._ledger.cursor(source)
            events = await self._readers[source].run(lambda conn, after=cursor: outbox.read_after(conn, after, PAGE))  # type: ignore[misc]
            if not events:
                return upto
            upto = await self._ledger.account(source, events)

    async def _account_health(self) -> int | None:
        if HEALTH not in self._readers:
            self._readers[HEALTH] = await open_reader(self._settings.database(HEALTH))
        upto: int | None = None
        while True:
            cursor = await self._ledger.cursor(HEALTH)
            events, last = await self._readers[HEALTH].run(
                lambda conn, after=cursor: outbox.read_kinds_after(conn, after, OF_HEALTH, PAGE)  # type: ignore[misc]
            )
            if last <= cursor:
                return upto
            upto = await self._ledger.account(HEALTH, events, last)

    async def close(self) -> None:
        """Closes the databases."""
        for reader in self._readers.values():
            await reader.close()
