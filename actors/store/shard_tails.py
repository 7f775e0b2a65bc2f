"""Following the outboxes of all shards, as the health actor does; hints make it quick, looks make it sure."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from actors.events import EventType
from actors.store import outbox, shard_queries
from actors.store.direct import Operation, Statements
from actors.store.records import OutboxEvent, SessionState
from actors.store.tail import Tail

AGAIN = 10_000
"""Events that are told again, at most."""
_Loaded = tuple[dict[str, SessionState], list[OutboxEvent]]


def shards_in(state_dir: Path) -> set[str]:
    """The shards that have a database."""
    return {file.stem for file in state_dir.glob("shard-*.db")}


class ShardTails:
    """``loaded`` is given the stored states of a shard first, ``on_event`` every event after them.

    ``again`` says of which shards arrivals of canaries after which number are told again, right after the states.
    """

    def __init__(
        self,
        path_of: Callable[[str], Path],
        loaded: Callable[[Mapping[str, SessionState]], None],
        on_event: Callable[[OutboxEvent], None],
        again: Mapping[str, int] | None = None,
    ) -> None:
        self._path_of = path_of
        self._loaded = loaded
        self._on_event = on_event
        self._again = dict(again or {})
        self._tails: dict[str, Tail[_Loaded]] = {}

    def cursor(self, source: str) -> int | None:
        """The number up to which a shard's outbox was read; None before that."""
        tail = self._tails.get(source)
        return None if tail is None else tail.cursor

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
            tail = Tail(self._path_of(source), _load(self._again.get(source)), self._take, self._on_event)
            self._tails[source] = tail
        await tail.catch_up(upto)

    def _take(self, loaded: _Loaded) -> None:
        states, again = loaded
        self._loaded(states)
        for event in again:
            self._on_event(event)

    async def look(self) -> None:
        """Reads on in all of them: a hint may have been lost."""
        for source in sorted(self._tails.keys() | shards_in(self._path_of("shard-0").parent)):
            await self.hinted(source)

    async def close(self) -> None:
        """Closes all databases."""
        await asyncio.gather(*(tail.close() for tail in self._tails.values()))


def _load(again: int | None) -> Operation[_Loaded]:
    async def load(conn: Statements) -> _Loaded:
        states, arrivals = await shard_queries.load_states(conn), list[OutboxEvent]()
        if again is not None:
            # a number that was never given out is of a database whose place this one has taken
            after = again if again <= await outbox.last_seq(conn) else 0
            arrivals, _ = await outbox.read_kinds_after(conn, after, [EventType.SESSION_CANARY], AGAIN)
        return states, arrivals

    return load
