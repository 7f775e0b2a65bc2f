"""Summing up the days of the ledger that are over."""

from actors.store import episode_queries
from actors.store.direct import Statements
from actors.store.engine import Database
from actors.store.episode_queries import DAY

AGAIN_S = 3600.0
"""Seconds after which the last days are summed up once more: what was accounted for late belongs to its own day."""
LATE_DAYS, LATE_DAYS_AT_START = 2, 7


class Days:
    """Of one ledger; each day is a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._summed_at: float | None = None

    async def keep(self, now: float, before: float) -> None:
        """Sums up what is due, and forgets what is needed for no time after ``before``.  Raises StoreError."""
        if self._summed_at is not None and abs(now - self._summed_at) < AGAIN_S:
            return
        today = int(now // DAY)
        await self._database.run(lambda conn: episode_queries.forget_days_from(conn, today))
        first = await self._first(today)
        for day in range(first, today):
            await self._database.run(lambda conn, day=day: episode_queries.sum_up(conn, day))  # type: ignore[misc]
        late = LATE_DAYS_AT_START if self._summed_at is None else LATE_DAYS

        async def again(conn: Statements) -> None:
            """At once: who reads between two of them would see one that is not in the next."""
            for day in range(today - late, min(first, today)):
                await episode_queries.sum_up(conn, day)
            await episode_queries.prune_days(conn, before)

        await self._database.run(again)
        self._summed_at = now

    async def _first(self, today: int) -> int:
        """The first day that was not summed up yet."""

        async def read(conn: Statements) -> int:
            last = await episode_queries.last_day(conn)
            if last is not None:
                return last + 1
            first = await episode_queries.first_end(conn)
            return today if first is None else int(first // DAY)

        return await self._database.run(read)
