"""Following the outboxes of all shards, as the health actor does; hints make it quick, looks make it sure."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from actors.store import shard_queries
from actors.store.records import OutboxEvent, SessionState
from actors.store.tail import Tail


def shards_in(state_dir: Path) -> set[str]:
    """The shards that have a database."""
    return {file.stem for file in state_dir.glob("shard-*.db")}


class ShardTails:
    """``loaded`` is given the stored states of a shard first, ``on_event`` every event after them."""

    def __init__(
        self,
        path_of: Callable[[str], Path],
        loaded: Callable[[Mapping[str, SessionState]], None],
        on_event: Callable[[OutboxEvent], None],
    ) -> None:
        self._path_of = path_of
        self._loaded = loaded
        self._on_event = on_event
        self._tails: dict[str, Tail[dict[str, SessionState]]] = {}

    @property
    def whole(self) -> bool:
        """Whether every shard that has a database was read."""
        names = shards_in(self._path_of("shard-0").parent)
        return bool(names) and all(name in self._tails and self._tails[name].begun for name in names)

    async def hinted(self, source: str, upto: int | None = None) -> None:
        """A shard's outbox reaches ``upto``; None: perhaps it grew."""
        if not source.startswith("shard-"):
            return
        tail = self._tails.get(source)
        if tail is None:
            tail = Tail(self._path_of(source), shard_queries.load_states, self._loaded, self._on_event)
            self._tails[source] = tail
        await tail.catch_up(upto)

    async def look(self) -> None:
        """Reads on in all of them: a hint may have been lost."""
        for source in sorted(self._tails.keys() | shards_in(self._path_of("shard-0").parent)):
            await self.hinted(source)

    async def close(self) -> None:
        """Closes all databases."""
        await asyncio.gather(*(tail.close() for tail in self._tails.values()))
