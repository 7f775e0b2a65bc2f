"""The history in a real database: right whatever happens between two transactions."""

import asyncio
import resource
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from actors.health.history import ledger
from actors.health.history.entries import Content, Entry
from actors.health.history.keeper import HistoryKeeper
from actors.health.history.packing import unpack_entries, unpack_rollup
from actors.health.history.recall import Recalled
from actors.health.history.recorder import Recorder, Seen
from actors.health.history.rollups import Rollup, merge, roll_up
from actors.health.quality import Quality
from actors.health.signals import Signals, remember, window
from actors.health.status import Status
from actors.session.causes import Cause
from actors.session.sample import Sample
from actors.store import history_queries as queries
from actors.store.direct import Direct, Statements, carry_out
from actors.store.engine import Database, open_reader, open_writer, sync_reader
from actors.store.history_queries import Level
from actors.store.migrate import upgrade
from actors.store.tables import Kind
from config.schema_history import History

pytestmark = pytest.mark.integration

T0 = 1_699_920_000.0
"""The beginning of a day."""
DAY, HOUR, MINUTE = 86_400.0, 3600.0, 60.0
FIRST_HOUR = int(T0 // HOUR)
WELL = Seen(Status.CONNECTED, Quality.EXCELLENT, 97)
DOWN = Seen(Status.DISCONNECTED, Quality.CRITICAL, 35, "connection_lost")


class World:
    """A health actor's part in the history, on a clock of its own."""

    def __init__(self, database: Database, settings: History | None = None, now: float = T0) -> None:
        self.database = database
        self.now = self.up = now
        self.settings = settings or History()
        self.start()

    def start(self) -> None:
        """Afresh, as after a kill: what was not stored is gone."""
        self.recorder = Recorder()
        self.keeper = HistoryKeeper(self.database, self.recorder, self.settings, lambda: self.now, lambda: self.up)

    def live(self, seconds: float, sessions: Iterable[str] = ("a", "b"), seen: Seen = WELL) -> None:
        """Sessions are watched, and a heartbeat is answered each 20 s."""
        end = self.now + seconds
        while self.now < end:
            self.now += 20
            self.up += 20
            self.recorder.looked(self.now)
            for session in sessions:
                self.recorder.observed(session, seen, self.now)
                sample = Sample(self.now - 20, self.now, "open", heartbeats=1, rtt_p50_ms=40.0, rtt_p95_ms=40.0)
                self.recorder.sampled(session, sample, self.now)

    async def live_on(self, hours: float, sessions: Iterable[str] = ("a", "b"), seen: Seen = WELL) -> None:
        """Half an hour at a time, each written down."""
        for _ in range(round(hours * 2)):
            self.live(HOUR / 2, sessions, seen)
            await self.keeper.turn()

    async def rows(self, level: Level) -> dict[tuple[int, int], bytes]:
        """All that is stored of a level."""
        found = await self.database.run(lambda conn: queries.rows_between(conn, level, 0, 2**40))
        return {(bucket, session): data for bucket, session, data in found}

    async def rollups(self, level: Level) -> dict[tuple[int, int], Rollup]:
        """The same, unpacked."""
        return {key: unpack_rollup(data) for key, data in (await self.rows(level)).items()}

    async def progress(self, level: Level) -> queries.Progress:
        """How far a level is."""
        return (await self.database.run(queries.load_levels))[level]

    async def agree(self) -> None:
        """Each level is what the finer one comes to, and its rows are counted right."""
        raw, minutes = await self.rows(Level.RAW), await self.rollups(Level.MINUTE)
        for (minute, session), data in raw.items():
            assert minutes[minute, session] == roll_up(unpack_entries(minute, data))
        hours, days = await self.rollups(Level.HOUR), await self.rollups(Level.DAY)
        _agree(minutes, hours, 60, (await self.progress(Level.HOUR)).upto)
        _agree(hours, days, 24, (await self.progress(Level.DAY)).upto)
        for level, stored in ((Level.RAW, raw), (Level.MINUTE, minutes), (Level.HOUR, hours), (Level.DAY, days)):
            assert (await self.progress(level)).rows == len(stored)


def _agree(finer: dict[tuple[int, int], Rollup], coarser: dict[tuple[int, int], Rollup], width: int, upto: int) -> None:
    parts: dict[tuple[int, int], list[Rollup]] = {}
    for (bucket, session), part in finer.items():
        if bucket // width < upto:
            parts.setdefault((bucket // width, session), []).append(part)
    for key, found in parts.items():
        assert coarser[key] == merge(found)
    assert {key for key in coarser if key[0] < upto} >= parts.keys()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    upgrade(tmp_path / "health.db", Kind.HEALTH)
    async with await open_writer(tmp_path / "health.db") as database:
        yield World(database)


async def test_a_day_and_its_roll_ups_agree(world: World) -> None:
    await world.live_on(25.5)
    await world.agree()
    day = (await world.rollups(Level.DAY))[int(T0 // DAY), 1]
    assert day.heartbeats == 24 * 180
    assert day.watched_ms == DAY * 1000 - 20_000  # it was seen first 20 s after midnight
    assert (day.score_min, day.score_mean, day.score_max) == (97, 97.0, 97)
    assert len(await world.rows(Level.HOUR)) == 2 * 25

    # what comes late corrects the hour and the day
    at = round((T0 + 3 * HOUR + 30) * 1000)
    entry = Entry(at, 0, Status.CONNECTED, Quality.EXCELLENT, 97, None, Content(acks=7))
    late = ledger.pack(entry.minute, "a", [entry])
    assert await world.database.run(ledger.store([late], int(world.now // MINUTE))) == 0
    await world.keeper.turn()
    await world.agree()
    assert (await world.rollups(Level.HOUR))[FIRST_HOUR + 3, 1].acks == 7
    assert (await world.rollups(Level.DAY))[int(T0 // DAY), 1].acks == 7


async def test_after_a_kill_all_that_was_stored_counts_once_and_the_rest_is_a_gap(world: World) -> None:
    await world.live_on(1.5)
    world.live(600)
    world.start()  # the ten minutes since the last turn are lost
    await world.live_on(1.5)
    await world.agree()
    total = merge(r for (_, session), r in (await world.rollups(Level.MINUTE)).items() if session == 1)
    assert 3 * HOUR - 300 <= total.watched_ms / 1000 <= 3 * HOUR - 20


async def test_an_end_in_the_middle_of_a_turn_stores_each_minute_once(world: World) -> None:
    world.live(HOUR)
    await asyncio.gather(world.keeper.turn(), world.keeper.finish())
    await world.agree()
    total = merge(r for (_, session), r in (await world.rollups(Level.MINUTE)).items() if session == 1)
    assert total.heartbeats == 180
    assert world.keeper.stats()["waiting"] == 0


async def test_a_minute_that_is_stored_again_changes_nothing(world: World) -> None:
    world.live(180)
    minutes = world.recorder.close(int(world.now // MINUTE), world.now)
    packed = [ledger.pack(minute, s, entries) for minute, found in minutes.items() for s, entries in found.items()]
    assert packed
    stored = []
    for _ in range(2):
        await world.database.run(ledger.store(packed, int(world.now // MINUTE)))
        stored.append((await world.rows(Level.RAW), await world.rows(Level.MINUTE), await world.progress(Level.RAW)))
    assert stored[0] == stored[1]


async def test_a_clock_that_is_set_back_and_forth_leaves_no_minute_too_long(world: World) -> None:
    await world.live_on(3)
    world.now -= 2 * HOUR
    await world.live_on(3)
    world.now += 30 * DAY
    await world.live_on(1)
    world.now -= 30 * DAY
    await world.live_on(2)
    await world.agree()
    assert max(r.watched_ms for r in (await world.rollups(Level.MINUTE)).values()) <= 60_000
    assert await world.rows(Level.RAW), "a clock that was set has cost nothing"
    assert len(await world.rows(Level.MINUTE)) >= 2 * 5 * 60


async def test_a_fresh_actor_recalls_what_was_counted(world: World) -> None:
    await world.live_on(26)
    for minutes in (5, 40, 600):
        world.recorder.failed("a", "connection_lost", world.now - minutes * MINUTE, world.now)
    await world.live_on(0.5)
    world.now += 30
    world.start()
    recalled: dict[str, Recalled] = {}
    await world.keeper.recall(recalled.__setitem__)
    known = remember(Signals(), recalled["a"].minutes, recalled["a"].hours)
    other = remember(Signals(), recalled["b"].minutes, recalled["b"].hours)
    assert window(known, HOUR, world.now).disconnects == {Cause.CONNECTION_LOST: 1}
    assert window(known, DAY, world.now).disconnects == {Cause.CONNECTION_LOST: 3}
    assert 24 * 180 - 10 <= window(other, DAY, world.now).heartbeats <= 25 * 180
    assert 165 <= window(other, HOUR, world.now).heartbeats <= 186
    assert [bucket.number for bucket in known.hours] == sorted({bucket.number for bucket in known.hours})
    assert remember(known, (), ()) == known


async def test_each_level_is_pruned_in_its_time(tmp_path: Path) -> None:
    upgrade(tmp_path / "health.db", Kind.HEALTH)
    async with await open_writer(tmp_path / "health.db") as database:
        world = World(database, History(raw=2 * HOUR, minutes=4 * HOUR, hours=DAY, days=DAY))
        await world.live_on(8, ["a"])
        kept = {level: len(await world.rows(level)) for level in (Level.RAW, Level.MINUTE, Level.HOUR)}
        assert 118 <= kept[Level.RAW] <= 180
        assert 238 <= kept[Level.MINUTE] <= 300
        assert kept[Level.HOUR] == 7
        too_late = ledger.pack(int(T0 // MINUTE), "a", [Entry(round(T0 * 1000) + 5, 5, Status.CONNECTED)])
        assert await database.run(ledger.store([too_late], int(world.now // MINUTE))) == 1
        assert (await world.progress(Level.RAW)).rows == kept[Level.RAW]


async def test_a_row_of_the_future_makes_no_pruning_long(world: World) -> None:
    await world.live_on(1, [f"s-{number}" for number in range(10)])
    minute = int(world.now // MINUTE)
    future = ledger.pack(minute * 2, "s-0", [Entry(minute * 2 * 60_000 + 5, 5, Status.CONNECTED)])
    await world.database.run(ledger.store([future], minute))
    left, more = len(await world.rows(Level.MINUTE)), True
    while more:
        before = left
        more = await world.database.run(ledger.prune(Level.MINUTE, minute, 20))
        left = len(await world.rows(Level.MINUTE))
        assert before - left <= 40
    assert left <= 11


async def test_a_removed_session_is_purged_and_its_name_is_free(world: World) -> None:
    await world.live_on(2)
    world.recorder.remove("a", kept=False)
    await world.live_on(1, ["a", "b"])  # another one of that name
    numbers = await world.database.run(queries.numbers)
    assert numbers == {"b": 2, "a": 3}
    for level in Level:
        assert 1 not in {session for _, session in await world.rows(level)}
    assert min(bucket for bucket, session in await world.rows(Level.MINUTE) if session == 3) >= int(T0 // MINUTE) + 120
    assert await world.database.run(queries.gone) == []
    await world.agree()


async def test_who_was_removed_while_nobody_followed_is_purged_when_that_is_sure(world: World) -> None:
    await world.live_on(1, ["a", "b", "c"])
    world.start()
    world.recorder.kept.add("c")
    await world.keeper.remove_strangers({"b"}, whole=True)
    await world.live_on(0.5, ["b"])
    assert len(await world.database.run(queries.numbers)) == 3, "just started: not everybody has told of itself"
    await world.keeper.remove_strangers({"b"}, whole=False)
    await world.live_on(0.5, ["b"])
    assert len(await world.database.run(queries.numbers)) == 3
    await world.keeper.remove_strangers({"b"}, whole=True)
    await world.live_on(0.5, ["b"])
    assert set(await world.database.run(queries.numbers)) == {"b", "c"}


async def test_what_the_disk_refuses_is_held_and_stored_later(world: World) -> None:
    await world.live_on(0.5)
    path = world.database.path
    size = max(file.stat().st_size for file in path.parent.iterdir())
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(4096, size // 4096 * 4096), unlimited[1]))
    try:
        for _ in range(8):
            await world.live_on(0.5)
        assert world.keeper.stats()["waiting"] > 0
        assert world.database.watch.trouble is not None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    await world.live_on(0.5)
    assert world.keeper.stats()["waiting"] == 0
    await world.agree()
    total = merge(r for (_, session), r in (await world.rollups(Level.MINUTE)).items() if session == 1)
    assert total.watched_ms >= (5 * HOUR - 2 * MINUTE - 20) * 1000


async def test_one_sessions_rows_are_looked_up_and_not_searched_for(world: World) -> None:
    await world.live_on(2)
    minute = int(T0 // MINUTE)

    async def read(conn: Statements) -> list[tuple[int, bytes]]:
        return await queries.of_session(conn, Level.MINUTE, 1, minute, minute + 99)

    async with await open_reader(world.database.path) as reader:
        found = await reader.run(read)
    assert [bucket for bucket, _ in found] == list(range(minute, minute + 100))
    plan = await _plan(world.database.path)
    assert "SEARCH history_minutes USING PRIMARY KEY (bucket=? AND session=?)" in plan


async def _plan(path: Path) -> str:
    engine = sync_reader(path)
    said: list[str] = []

    def explain(
        conn: object, cursor: sqlite3.Cursor, statement: str, parameters: tuple[object, ...], *_: object
    ) -> None:
        if statement.startswith("WITH"):
            with closing(sqlite3.connect(path)) as other:
                said.extend(row[3] for row in other.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    event.listen(engine, "before_cursor_execute", explain)

    def read() -> None:
        with engine.begin() as conn:
            raw: Any = conn.connection.dbapi_connection
            carry_out(lambda c: queries.of_session(c, Level.MINUTE, 1, 0, 99), Direct(raw, conn))

    await asyncio.to_thread(read)
    engine.dispose()
    return "\n".join(said)
