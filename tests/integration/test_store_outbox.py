"""The outbox never shows a gap: not to a consumer beside a writer, not after a crash, not while it is pruned."""

import asyncio
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from actors.events import EventType
from actors.store import outbox
from actors.store.engine import open_reader, open_writer
from actors.store.migrate import upgrade
from actors.store.records import NewEvent
from actors.store.tables import Kind
from tests.integration.crashing import crasher

pytestmark = pytest.mark.integration


class OutboxMachine(RuleBasedStateMachine):
    """A writer that appends, rolls back and prunes, and a consumer that reads with a cursor, against a list."""

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        self.model: list[NewEvent] = []
        self.pruned = 0
        self.cursor = 0
        upgrade(self.folder / "shard.db", Kind.SHARD)
        self.writer = self.runner.run(open_writer(self.folder / "shard.db"))
        self.reader = self.runner.run(open_reader(self.folder / "shard.db"))

    def events(self, times: list[int]) -> list[NewEvent]:
        count = len(self.model)
        return [NewEvent(float(at), EventType.SESSION_STATE, None, {"n": count + n}) for n, at in enumerate(times)]

    @rule(times=st.lists(st.integers(0, 9), max_size=6), kept=st.booleans())
    def append(self, times: list[int], kept: bool) -> None:
        events = self.events(times)

        async def run() -> int:
            async with self.writer.begin() as conn:
                await outbox.append(conn, events)
                last = await outbox.last_seq(conn)
                if not kept:
                    await conn.rollback()
                return last

        last = self.runner.run(run())
        assert last == len(self.model) + len(events)
        if kept:
            self.model += events

    @rule(limit=st.integers(1, 5))
    def consume(self, limit: int) -> None:
        async def run() -> list[int]:
            async with self.reader.begin() as conn:
                events = await outbox.read_after(conn, self.cursor, limit)
            assert [event.data for event in events] == [self.model[event.seq - 1].data for event in events]
            return [event.seq for event in events]

        start = max(self.cursor, self.pruned)
        expected = list(range(start + 1, min(start + limit, len(self.model)) + 1))
        assert self.runner.run(run()) == expected
        self.cursor = expected[-1] if expected else self.cursor

    @rule(before=st.integers(0, 10), batch=st.integers(1, 4), upto=st.none() | st.integers(0, 20))
    def prune(self, before: int, batch: int, upto: int | None) -> None:
        stays = next(
            (seq for seq, event in enumerate(self.model[self.pruned :], self.pruned + 1) if event.at >= before),
            len(self.model) + 1,
        )
        end = max(self.pruned, min(stays - 1, len(self.model) if upto is None else upto))
        deleted = self.runner.run(outbox.prune(self.writer, before, batch, upto=upto))
        assert deleted == end - self.pruned
        self.pruned = end

    @invariant()
    def numbers_go_on(self) -> None:
        async def run() -> int:
            async with self.reader.begin() as conn:
                return await outbox.last_seq(conn)

        assert self.runner.run(run()) == len(self.model)

    def teardown(self) -> None:
        for database in (self.reader, self.writer):
            self.runner.run(database.close())
        self.runner.close()
        shutil.rmtree(self.folder)


TestOutbox = OutboxMachine.TestCase
TestOutbox.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


async def test_kill_in_the_middle_of_transactions_leaves_no_gap(tmp_path: Path) -> None:
    path = tmp_path / "shard.db"
    upgrade(path, Kind.SHARD)
    seen = 0
    async with crasher("outbox", str(path)) as writer, await open_reader(path) as reader:
        for _ in range(20):
            await writer.start()
            target = seen + 25
            while seen < target:
                async with reader.begin() as conn:
                    found = [event.seq for event in await outbox.read_after(conn, seen, 7)]
                assert found == list(range(seen + 1, seen + 1 + len(found)))
                seen += len(found)
            writer.kill()
    async with await open_reader(path) as reader, reader.begin() as conn:
        everything = await outbox.read_after(conn, 0, 1_000_000)
    assert [event.seq for event in everything] == list(range(1, len(everything) + 1))
    assert len(everything) >= seen >= 500
    stored = Counter(event.data["batch"] for event in everything)
    sizes = {event.data["batch"]: event.data["size"] for event in everything}
    assert stored == sizes, "a transaction is there wholly or not at all"


async def test_one_sessions_events_with_the_one_before(tmp_path: Path) -> None:
    upgrade(tmp_path / "shard.db", Kind.SHARD)
    kinds = (EventType.SESSION_STATE, EventType.SESSION_REMOVED)
    events = [
        NewEvent(float(at), EventType.SESSION_MESSAGE if at % 5 == 0 else EventType.SESSION_STATE, "ab"[at % 2], {})
        for at in range(1, 41)
    ]
    async with await open_writer(tmp_path / "shard.db") as database:
        async with database.begin() as conn:
            await outbox.append(conn, events)
        for since, until, times in (
            (32.0, 36.0, [28, 32, 34, 36]),
            (0.0, 4.0, [2, 4]),
            (90.0, 99.0, [38]),
            (33.0, 33.0, [32]),
        ):
            found = await database.run(
                lambda conn, since=since, until=until: outbox.read_session(conn, "a", kinds, since, until)  # type: ignore[misc]
            )
            assert [event.at for event in found] == times
        assert await database.run(lambda conn: outbox.read_session(conn, "c", kinds, 1.0, 9.0)) == []
