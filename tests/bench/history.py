"""What the past of a large fleet costs: size, processor time, and how long others wait.

    python -m tests.bench.history [--sessions 1000] [--hours 3] [--troubled 0.1]

The recorder and the keeper of the health actor, on a clock of their own, over a real database: each session is
observed each 10 s, a share of them has trouble now and then, and some send and receive.  Then the database is filled,
by copies of the hours that were lived, with all that the defaults keep (days are taken to be like hours), and read,
pruned and checked at that size.
"""

import argparse
import asyncio
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from actors.health.history.keeper import HistoryKeeper
from actors.health.history.reading import Range, series, wanted
from actors.health.history.recorder import Recorder, Seen
from actors.health.quality import Quality
from actors.health.status import Status
from actors.session.sample import Sample
from actors.store import history_queries as queries
from actors.store.direct import Statements
from actors.store.engine import Database, open_reader, open_writer
from actors.store.history_queries import TABLES, WIDTHS, Level
from actors.store.migrate import upgrade
from actors.store.tables import Kind
from config.schema_history import History
from tests.bench.machine import describe, end_on_sigterm

T0 = 1_767_225_600.0
"""The beginning of a day."""
OBSERVED_EACH = 10.0
WELL = Seen(Status.CONNECTED, Quality.EXCELLENT, 100)
SLOW = Seen(Status.CONNECTED, Quality.GOOD, 78)
DOWN = Seen(Status.CONNECTING, Quality.CRITICAL, 35, "connection_lost")


class Fleet:
    """Sessions as the health actor sees them."""

    def __init__(self, database: Database, sessions: int, troubled: float) -> None:
        self.now = T0
        self.recorder = Recorder()
        self.keeper = HistoryKeeper(database, self.recorder, History(), lambda: self.now, lambda: self.now)
        self._rng = random.Random(1)
        self._sessions = {f"session-{n:05}": self._rng.random() < troubled for n in range(sessions)}
        self.observing = self.writing = self.upkeep = 0.0
        """Seconds of processor time."""
        self.turns: list[float] = []
        """Seconds that each turn took."""

    def minute(self) -> None:
        """Lives for a minute."""
        began = time.process_time()
        for _ in range(round(60 / OBSERVED_EACH)):
            self.now += OBSERVED_EACH
            self.recorder.looked(self.now)
            for session, troubled in self._sessions.items():
                self._observe(session, troubled)
        self.observing += time.process_time() - began

    def _observe(self, session: str, troubled: bool) -> None:
        rng = self._rng
        seen = WELL
        if troubled and rng.random() < 0.1:
            seen = rng.choice([SLOW, DOWN])
            if seen is DOWN:
                self.recorder.failed(session, "connection_lost", self.now, self.now)
        rtt = 30 + 20 * rng.random()
        busy = rng.random() < 0.2
        sample = Sample(
            self.now - OBSERVED_EACH,
            self.now,
            "open",
            heartbeats=1,
            rtt_p50_ms=rtt,
            rtt_p95_ms=rtt,
            acks=int(busy),
            received=3 * int(busy),
            receipts=int(busy),
        )
        self.recorder.sampled(session, sample, self.now)
        self.recorder.observed(session, seen, self.now)

    async def turn(self) -> None:
        """What the keeper does each minute."""
        cpu, began = time.process_time(), time.perf_counter()
        self.now += 15  # as the keeper waits for what comes late
        await self.keeper.write(int((self.now - 15) // 60))
        self.now -= 15
        self.writing += time.process_time() - cpu
        self.turns.append(time.perf_counter() - began)
        cpu = time.process_time()
        await self.keeper.turn()
        self.upkeep += time.process_time() - cpu


class Waiting:
    """How long a small transaction, such as the scores', waits while the keeper works."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.seconds: list[float] = []

    async def run(self) -> None:
        """For ever."""
        while True:
            began = time.perf_counter()
            await self._database.run(queries.load_levels)
            self.seconds.append(time.perf_counter() - began)
            await asyncio.sleep(0.02)

    def tell(self) -> None:
        """Prints it."""
        waits = sorted(self.seconds)
        print(
            f"{'a small transaction meanwhile, p50, p99, most':<58} {waits[len(waits) // 2] * 1000:9.1f} ms, "
            f"{waits[int(len(waits) * 0.99)] * 1000:.1f} ms, {waits[-1] * 1000:.1f} ms"
        )


def fill(path: Path, lived_hours: int, now: float) -> None:
    """Copies what was lived into the past, as long as the defaults keep it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA synchronous=OFF")
        for name, keep in History().by_level.items():
            level = Level(name)
            table, width = TABLES[level].name, WIDTHS[level]
            lived = max(1, round(lived_hours * 3600 / width))
            first = conn.execute(f"SELECT min(bucket) FROM {table}").fetchone()[0]  # noqa: S608 - its own names
            if first is None:
                hours = "SELECT max(bucket) / 24, session, data FROM history_hours GROUP BY session"
                conn.execute(f"INSERT INTO {table} {hours}")
                first = conn.execute(f"SELECT min(bucket) FROM {table}").fetchone()[0]  # noqa: S608
            oldest = int((now - keep) // width)
            for back in range(lived, round(keep / width) + lived, lived):
                conn.execute("BEGIN")
                conn.execute(
                    f"INSERT OR IGNORE INTO {table} SELECT bucket - ?, session, data FROM {table} "  # noqa: S608
                    "WHERE bucket >= ? AND bucket < ? AND bucket - ? >= ?",
                    (back, first, first + lived, back, oldest),
                )
                conn.execute("COMMIT")
            count = conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            conn.execute("UPDATE history_levels SET rows = ? WHERE level = ?", (count, name))
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def sizes(path: Path) -> list[tuple[str, int, int]]:
    """Table, rows, bytes of its pages; largest first."""
    with closing(sqlite3.connect(path)) as conn:
        rows = dict(conn.execute("SELECT level, rows FROM history_levels").fetchall())
        found = []
        for level, table in TABLES.items():
            total = conn.execute("SELECT sum(pgsize) FROM dbstat WHERE name = ?", (table.name,)).fetchone()[0]
            found.append((table.name, rows.get(str(level), 0), total or 0))
        return found


def size_of(path: Path) -> int:
    """Bytes."""
    return path.stat().st_size


async def timed(what: str, act: Callable[[], Awaitable[object]], times: int = 5) -> None:
    """Prints how long something takes, the median and the worst of some."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        await act()
        seconds.append(time.perf_counter() - began)
    print(f"{what:<58} {statistics.median(seconds) * 1000:9.1f} ms, at most {max(seconds) * 1000:.1f} ms")


async def read(database: Database, fleet: Fleet, since: float, step: int) -> None:
    """As main does it."""

    async def operation(conn: Statements) -> int:
        levels = await queries.load_levels(conn)
        asked = Range(int(since), int(fleet.now), step)
        number = await queries.number_of(conn, "session-00007")
        assert number is not None
        parts = wanted(asked, levels)
        rows = {level: await queries.of_session(conn, level, number, first, last) for level, first, last in parts}
        return len(series(asked, rows, levels).points)

    assert await database.run(operation)


async def live(path: Path, sessions: int, hours: int, troubled: float) -> None:
    """All of it."""
    async with await open_writer(path) as database:
        fleet = Fleet(database, sessions, troubled)
        waiting = Waiting(database)
        task = asyncio.create_task(waiting.run())
        for _ in range(hours * 60 + 15):
            fleet.minute()
            await fleet.turn()
        task.cancel()
        minutes = hours * 60 + 15
        for what, seconds in (("observing", fleet.observing), ("writing", fleet.writing), ("upkeep", fleet.upkeep)):
            print(f"processor time, {what:<42} {seconds / minutes / 60:9.4f} of a core")
        print(f"{'writing a minute of all sessions':<58} {statistics.median(fleet.turns) * 1000:9.1f} ms")
        waiting.tell()
        print(f"\n{'table':<20} {'rows':>12} {'MB':>9} {'bytes a row':>12}")
        for name, rows, total in sizes(path):
            print(f"{name:<20} {rows:>12,} {total / 1e6:>9.1f} {total / max(1, rows):>12.1f}")

        fill(path, hours, fleet.now)
        print(f"\nfilled with what the defaults keep:\n{'table':<20} {'rows':>12} {'MB':>9}")
        for name, rows, total in sizes(path):
            print(f"{name:<20} {rows:>12,} {total / 1e6:>9.1f}")
        size = size_of(path)
        print(f"{'health.db':<20} {'':>12} {size / 1e6:>9.1f}   {size / sessions / 1e6:.2f} MB a session\n")
        async with await open_reader(path) as reader:
            for what, span, step in (
                ("raw of an hour", 3600, 0),
                ("a day by the minute", 86_400, 60),
                ("a week by the hour", 7 * 86_400, 3600),
                ("90 days by the 6 hours", 89 * 86_400, 6 * 3600),
                ("400 days by the day", 399 * 86_400, 86_400),
            ):
                await timed(f"reading {what}", partial(read, reader, fleet, fleet.now - span, step))
        waiting.seconds.clear()
        task = asyncio.create_task(waiting.run())
        fleet.now += 3600
        await timed("a turn in which an hour of everything is pruned", fleet.keeper.turn, 1)
        fleet.recorder.remove("session-00007", kept=False)
        fleet.now += 60
        await timed("a turn in which a session is purged", fleet.keeper.turn, 1)
        waiting.tell()
        task.cancel()

    async def check() -> None:
        upgrade(path, Kind.HEALTH)

    await timed("the check of the file at the start", check, 2)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--hours", type=int, default=3)
    parser.add_argument("--troubled", type=float, default=0.1, help="share of sessions that have trouble now and then")
    options = parser.parse_args()
    print(describe())
    print(
        f"{options.sessions} sessions, {options.hours} hours, {options.troubled:.0%} of them in trouble now and then\n"
    )
    with tempfile.TemporaryDirectory(prefix="wavigil-history-") as folder:
        path = Path(folder) / "health.db"
        upgrade(path, Kind.HEALTH)
        asyncio.run(live(path, options.sessions, options.hours, options.troubled))


if __name__ == "__main__":
    end_on_sigterm()
    main()
