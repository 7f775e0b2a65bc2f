"""What is summed up of the ledger, and forgotten, in its time."""

import time
from collections.abc import Callable

from actors.health.history.steadiness import Steadiness
from actors.recovery.days import Days
from actors.recovery.ledger import Ledger
from actors.store import outbox
from actors.store.engine import Database


class Pruning:
    """Of recovery.db; ``clock`` is seconds since 1970, ``uptime`` seconds since the machine was started."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        clock: Callable[[], float] = time.time,
        uptime: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._days = Days(database)
        self._clock = clock
        self._uptime = uptime
        self._steadiness = Steadiness(clock(), uptime())

    async def turn(self, keep: float, events_keep: float) -> None:
        """Forgets episodes and events that are so many seconds old.  Raises StoreError.

        Nothing while the clock is new: one that was set wrongly for a while must not cost the ledger.
        """
        now = self._clock()
        steady = self._steadiness.steady(now, self._uptime())
        await self._days.keep(now, now - keep if steady else 0.0)
        if steady:
            await outbox.prune(self._database, now - events_keep)
            await self._ledger.prune(now - keep)
