"""Keeps the history: writes each minute down when it is over, rolls up, prunes and purges in small transactions."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

from actors.health.history import ledger
from actors.health.history.entries import Entry, union
from actors.health.history.recall import Recalled, recall
from actors.health.history.recorder import Recorder
from actors.health.history.steadiness import Steadiness
from actors.store import history_queries as queries
from actors.store.direct import Operation
from actors.store.engine import Database
from actors.store.errors import StoreError
from actors.store.history_queries import WIDTHS, Level, Progress
from config.schema_history import History

log = logging.getLogger(__name__)
T = TypeVar("T")

MINUTE = 60.0
GRACE = 15.0
"""Seconds after the end of a minute until it is written: a heartbeat's sample takes up to 15 s."""
SURE_AFTER = 600.0
"""Seconds after the start until each session that there is has told of itself."""
PAUSE = 0.05
"""Seconds between two transactions that can wait: scores, which can't, are stored in between."""
PACKED_AT_ONCE = 25
"""Minutes of sessions that are packed before others in this process have their turn."""
STORED_AT_ONCE = 1000
"""Minutes of sessions in a transaction."""
RECALLED_AT_ONCE = 25
"""Sessions."""
PRUNED_AT_ONCE = 2000
"""Rows."""
PURGED_AT_ONCE: Mapping[Level, int] = {Level.RAW: 30, Level.MINUTE: 30, Level.HOUR: 24, Level.DAY: 20}
"""Buckets."""
MOST_WAITING = 30_000
"""Minutes of sessions that wait while the disk takes nothing; beyond it the oldest are lost, which leaves a gap."""
ALIGNED: Mapping[Level, int] = {Level.RAW: 60, Level.MINUTE: 60, Level.HOUR: 24, Level.DAY: 1}
"""Buckets that are pruned together, so that what is derived of them is derived of all or none."""


class HistoryKeeper:
    """Owns the tables of the history; ``run`` is its only writer."""

    def __init__(
        self,
        database: Database,
        recorder: Recorder,
        settings: History,
        clock: Callable[[], float] = time.time,
        uptime: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self._database = database
        self._recorder = recorder
        self._keep = {Level(name): keep for name, keep in settings.by_level.items()}
        self._clock = clock
        self._steadiness = Steadiness(clock(), uptime())
        self._uptime = uptime
        self._began = uptime()
        self._first_minute = int(clock() // MINUTE)
        self._waiting: dict[tuple[int, str], list[Entry]] = {}
        self._levels: Mapping[Level, Progress] = {}
        self._lost = self._late = self._written = 0
        self._prune_seconds = 0.0

    async def run(self) -> None:
        """Each minute, for ever."""
        while True:
            now = self._clock()
            await asyncio.sleep(MINUTE - (now - GRACE) % MINUTE)
            await self.turn()

    async def turn(self) -> None:
        """What is due now; what the database refuses is tried again at the next turn."""
        now = self._clock()
        try:
            await self.write(int((now - GRACE) // MINUTE))
            await self._derive()
            await self._prune(now)
            await self._purge()
            self._levels = await self._database.run(queries.load_levels)
        except StoreError as error:
            self._database.watch.tell(log, "the history could not be stored, trying again", error)

    async def write(self, before: int) -> None:
        """Writes the minutes before ``before``, and what had to wait.  Raises StoreError."""
        now = self._clock()
        for minute, sessions in self._recorder.close(before, now).items():
            for session, entries in sessions.items():
                key = (minute, session)
                self._waiting[key] = union(self._waiting[key], entries) if key in self._waiting else entries
        removed = self._recorder.removed()
        for key in [key for key in self._waiting if key[1] in removed]:
            del self._waiting[key]
        if (excess := len(self._waiting) - MOST_WAITING) > 0:
            for key in sorted(self._waiting)[:excess]:
                del self._waiting[key]
            self._lost += excess
        if removed:
            try:
                await self._run(lambda conn: queries.mark_gone(conn, sorted(removed), now))
            except StoreError:
                self._recorder.removed_still(removed)
                raise
        while self._waiting:
            packed = [item async for item in self._packed(islice(dict(self._waiting).items(), STORED_AT_ONCE))]
            self._late += await self._run(ledger.store(packed, before))
            self._written += len(packed)
            for item in packed:  # some may have been stored by ``finish`` meanwhile, which changes nothing
                self._waiting.pop((item.minute, item.session), None)

    async def recall(self, take: Callable[[str, Recalled], None]) -> None:
        """Gives what was counted of each session within the last day, before this actor was started."""
        try:
            names = {number: session for session, number in (await self._run(queries.numbers)).items()}
            numbers = sorted(names)
            for start in range(0, len(numbers), RECALLED_AT_ONCE):
                some = numbers[start : start + RECALLED_AT_ONCE]
                for number, found in (await self._run(recall(self._first_minute, (some[0], some[-1])))).items():
                    if number in names:
                        take(names[number], found)
                await asyncio.sleep(PAUSE)
        except StoreError as error:
            self._database.watch.tell(log, "what was counted before can't be read", error)

    async def finish(self) -> None:
        """At the end: also the minute that is not over.  What can't be stored now is lost."""
        try:
            await self.write(int(self._clock() // MINUTE) + 1)
        except StoreError as error:
            self._database.watch.tell(log, "the last minutes of the history are lost", error)

    async def _packed(self, items: Iterator[tuple[tuple[int, str], list[Entry]]]) -> Any:
        for count, ((minute, session), entries) in enumerate(items, 1):
            yield ledger.pack(minute, session, entries)
            if count % PACKED_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _run(self, operation: Operation[T]) -> T:
        return await self._database.run(operation)

    async def _to_the_end(self, step: Operation[bool]) -> None:
        more = True
        while more:
            more = await self._run(step)
            await asyncio.sleep(PAUSE if more else 0)

    async def _derive(self) -> None:
        for level in ledger.FINER:
            await self._to_the_end(ledger.derive(level))

    async def _prune(self, now: float) -> None:
        """Nothing while the clock is new: one that was set wrongly for a while must not cost the history."""
        if not self._steadiness.steady(now, self._uptime()):
            return
        began = time.monotonic()
        for level, keep in self._keep.items():
            width = ALIGNED[level]
            before = int((now - keep) // WIDTHS[level]) // width * width
            await self._to_the_end(ledger.prune(level, before, PRUNED_AT_ONCE))
        self._prune_seconds = time.monotonic() - began

    async def _purge(self) -> None:
        gone = await self._run(queries.gone)
        if not gone:
            return
        for level, count in PURGED_AT_ONCE.items():
            bucket: int | None = 0
            while bucket is not None:
                bucket = await self._run(ledger.purge(level, bucket, count))
                await asyncio.sleep(PAUSE)
        await self._run(lambda conn: queries.forget_numbers(conn, gone))

    async def remove_strangers(self, known: Collection[str], *, whole: bool) -> None:
        """Deletes what is written of sessions that were removed while nobody followed.  Raises StoreError.

        ``known`` are all sessions that any shard tells of, if ``whole``: those that were all read.
        """
        if not whole or self._uptime() - self._began < SURE_AFTER:
            return
        strangers = set(await self._run(queries.numbers)) - set(known) - self._recorder.kept
        self._recorder.removed_still(strangers)

    def stats(self) -> dict[str, Any]:
        """For the heartbeat: what the metrics show."""
        minute = self._levels.get(Level.MINUTE)
        behind = None if minute is None else max(0.0, self._clock() - minute.upto * MINUTE)
        return {
            "rows": {str(level): progress.rows for level, progress in self._levels.items()},
            "behindSeconds": behind,
            "waiting": len(self._waiting),
            "written": self._written,
            "lost": self._lost + self._late,
            "pruneSeconds": self._prune_seconds,
        }
