"""Following the outboxes of all shards, as health and recovery do; a shard is taken up at its first hint."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from actors.store import shard_queries
from actors.store.records import OutboxEvent, SessionState
from actors.store.tail import Tail


class ShardTails:
    """``loaded`` is given the stored states of a shard once, ``on_event`` every event after them."""

    def __init__(
        self,
        path_of: Callable[[str], Path],
        loaded: Callable[[Mapping[str, SessionState]], None],
        on_event: Callable[[OutboxEvent], None],
    ) -> None:
        self._path_of = path_of
        self._loaded = loaded
        self._on_event = on_event
        self._tails: dict[str, Tail] = {}

    async def hinted(self, source: str, upto: int) -> None:
        """A shard's outbox reaches ``upto``."""
        if not source.startswith("shard-"):
            return
        tail = self._tails.get(source)
        if tail is None:
            tail = self._tails[source] = Tail(self._path_of(source), self._load, self._on_event)
        await tail.catch_up(upto)

    async def _load(self, conn: AsyncConnection) -> None:
        self._loaded(await shard_queries.load_states(conn))

    async def close(self) -> None:
        """Closes all databases."""
        await asyncio.gather(*(tail.close() for tail in self._tails.values()))
