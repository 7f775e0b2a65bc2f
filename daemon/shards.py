"""The databases of the shards: made here before their host starts, then followed."""

import asyncio
import logging
from collections.abc import Callable, Collection

from actors.settings import Settings, shard_name
from actors.store import shard_queries
from actors.store.direct import Operation, Statements
from actors.store.errors import StoreError
from actors.store.migrate import upgrade
from actors.store.records import OutboxEvent, SessionState
from actors.store.tables import Kind
from actors.store.tail import Tail
from actors.store.watch import StoreWatch
from daemon.backend import BackendError
from daemon.reads import Reading, Reads
from daemon.storage import refusal

log = logging.getLogger(__name__)


Read = tuple[dict[str, SessionState], dict[str, int]]
"""The stored states of a shard, and how many messages of each session wait there to be sent."""


async def read(conn: Statements) -> Read:
    """What a shard's events change, as it is stored."""
    return await shard_queries.load_states(conn), await shard_queries.count_unfinished(conn)


class Shards:
    """``loaded`` and ``on_event`` are those of `Tail`; ``watch`` is for the log, ``reads`` bounds what is asked for."""

    def __init__(
        self,
        settings: Settings,
        watch: StoreWatch,
        loaded: Callable[[Read], None],
        on_event: Callable[[OutboxEvent], None],
        reads: Reads,
    ) -> None:
        self._reads = reads
        self._settings = settings
        self._watch = watch
        self._loaded = loaded
        self._on_event = on_event
        self._tails: dict[int, Tail[Read]] = {}
        self._opening = asyncio.Lock()

    @property
    def ready(self) -> Collection[int]:
        """Those that have a database."""
        return self._tails.keys()

    async def open(self, wanted: Collection[int]) -> None:
        """Makes what is missing.  Raises StoreError; what was made stays."""
        async with self._opening:
            for shard in sorted(set(wanted) - self._tails.keys()):
                path = self._settings.database(shard_name(shard))
                await asyncio.to_thread(upgrade, path, Kind.SHARD)
                tail = Tail(path, read, self._loaded, self._on_event)
                self._tails[shard] = tail
                await tail.catch_up()

    async def open_late(self, wanted: Collection[int]) -> bool:
        """The same while the daemon runs: whether there are more than before; what fails is tried again later."""
        before = len(self._tails)
        try:
            await self.open(wanted)
        except StoreError as error:
            self._watch.tell(log, "a shard waits for its database", error)
        return len(self._tails) > before

    async def catch_up(self, shard: int | None = None, upto: int | None = None) -> None:
        """Reads on in one outbox, or in all."""
        for tail in list(self._tails.values()) if shard is None else filter(None, [self._tails.get(shard)]):
            await tail.catch_up(upto)

    async def read(self, shard: int, query: Operation[object], reading: Reading | None = None) -> object:
        """Runs a quick query on the connection on which a shard is followed; ``reading`` is its request's, if any.

        Raises BackendError.
        """
        if shard not in self._tails:
            raise BackendError("unavailable", "the session waits for room on the disk", database=shard_name(shard))
        try:
            reading = reading or self._reads.begin()
            return await reading.within(shard_name(shard), self._tails[shard].read(query))
        except StoreError as error:
            raise refusal(error, "the state can't be read") from None

    async def close(self) -> None:
        """Closes the databases."""
        await asyncio.gather(*(tail.close() for tail in self._tails.values()))
