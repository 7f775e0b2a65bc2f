"""Which shards of a large fleet are started next: few at a time, for each start costs seconds of processor time.

All of them at once keep each other from being ready until their supervisors take them for dead.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

AT_A_TIME = 3
"""Shards whose host is starting."""
PATIENCE = 30.0
"""Seconds after which a shard that is not ready holds up nobody any more; it goes on by itself."""


@dataclass(frozen=True, slots=True)
class StartQueue:
    """Ids of shards; times are monotonic seconds."""

    waiting: tuple[str, ...] = ()
    starting: tuple[tuple[str, float], ...] = ()
    """Id, and when it was admitted."""

    def wanted(self, ids: Iterable[str]) -> "StartQueue":
        """Exactly these wait from now on, in this order."""
        return replace(self, waiting=tuple(ids))

    def up(self, id: str) -> "StartQueue":
        """Its host is ready."""
        return replace(self, starting=tuple(entry for entry in self.starting if entry[0] != id))

    def admit(self, now: float) -> tuple["StartQueue", tuple[str, ...]]:
        """Those whose turn it is."""
        starting = tuple(entry for entry in self.starting if now - entry[1] < PATIENCE)
        room = max(0, AT_A_TIME - len(starting))
        ids, rest = self.waiting[:room], self.waiting[room:]
        return StartQueue(rest, (*starting, *((id, now) for id in ids))), ids
