"""Pausing recovery: every change is in api.db before it is acknowledged, and travels to the sessions with the plan."""

import time
from collections.abc import Awaitable, Callable, Mapping

from actors.recovery.pauses import Pause, covering
from actors.store import pause_queries
from actors.store.engine import Database
from daemon.backend import BackendError, SessionRecord
from daemon.fleet import Fleet, Write

MOST = 1_000
"""Pauses at the same time."""


class Pauses:
    """Of a fleet; ``publish`` tells the actors, now or when they are back."""

    def __init__(self, fleet: Fleet, publish: Callable[[], Awaitable[None]]) -> None:
        self._fleet = fleet
        self._publish = publish

    def active(self) -> list[Pause]:
        """Those in effect, oldest first."""
        now = time.time()
        return [pause for pause in self._fleet.pauses if not pause.over(now)]

    def covering(self, record: SessionRecord) -> tuple[Pause, ...]:
        """Those that a session is under."""
        return covering(self._fleet.pauses, record.id, record.labels, time.time())

    async def add(
        self, who: str, session: str | None, labels: Mapping[str, str], until: float | None, reason: str
    ) -> Pause:
        """A new one.  Raises BackendError ``unknown_session``, ``limit``; ``invalid``: its end is over already."""
        made: list[Pause] = []

        def decide() -> tuple[Write, tuple[Pause, ...]]:
            if session is not None:
                self._fleet.get(session)
            now, others = time.time(), self.active()
            if until is not None and until <= now:
                raise BackendError("invalid", "the end of the pause is over already")
            if len(others) >= MOST:
                raise BackendError("limit", f"there are {MOST} pauses already: end some, or let one cover a label")
            id = self._fleet.last_pause + 1
            made[:] = [Pause(id, now, who, session, dict(labels), until, reason)]
            return lambda conn: pause_queries.add_pause(conn, made[0]), (*others, made[0])

        await self._fleet.settle_pauses(decide)
        await self._publish()
        return made[0]

    async def end(self, id: int, who: str) -> None:
        """Ends one.  Raises BackendError ``unknown_pause``."""

        def decide() -> tuple[Write, tuple[Pause, ...]]:
            active = self.active()
            if all(pause.id != id for pause in active):
                raise BackendError("unknown_pause", "no pause in effect has the id in the path")
            now = time.time()
            return lambda conn: pause_queries.end_pause(conn, id, who, now), tuple(p for p in active if p.id != id)

        await self._fleet.settle_pauses(decide)
        await self._publish()


async def forget(database: Database, before: float) -> None:
    """Deletes what was over before that time.  Raises StoreError."""
    async with database.begin() as conn:
        await pause_queries.prune_pauses(conn, before)
