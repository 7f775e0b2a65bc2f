"""Reads for requests end in time and are few, whatever the database does; and nothing of them stays."""

import asyncio
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from actors.store.abortable import AbortableReader
from actors.store.direct import Operation, Statements
from actors.store.engine import open_writer
from actors.store.errors import StoreError, StoreLate, StoreReason
from actors.store.migrate import upgrade
from actors.store.tables import Kind
from daemon.reads import END_PATIENCE, MOST, MOST_OF_ONE, Reads
from tests.fixtures_daemon import until
from tests.lockholder import held

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

PATIENCE = 0.3
SLACK = 3.0
"""Seconds that a busy machine may add."""
ENDLESS = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n")
SHARDS = [f"shard-{number}" for number in range(MOST)]


async def quick(conn: Statements) -> int:
    return int((await conn.execute(text("SELECT count(*) FROM outbox"))).scalar_one())


async def endless(conn: Statements) -> int:
    return int((await conn.execute(ENDLESS)).scalar_one())


class Disk:
    """A file system that does not answer until it is told to."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.hanging = 0

    async def read(self, conn: Statements) -> int:
        found = await quick(conn)
        self.hanging += 1
        self.answers.wait()  # as the thread of a read() would
        return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    upgrade(folder / "health.db", Kind.HEALTH)
    upgrade(folder / "shard-0.db", Kind.SHARD)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copy(made / "health.db", tmp_path)
    for shard in SHARDS:
        shutil.copy(made / "shard-0.db", tmp_path / f"{shard}.db")
    return tmp_path


@pytest.fixture
async def reads(folder: Path) -> AsyncIterator[Reads]:
    found = Reads(lambda name: folder / f"{name}.db", PATIENCE)
    yield found
    await found.close()
    await ended()


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.answers.set()


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("read ")]


def open_files(path: Path) -> int:
    return sum(file.path == str(path) for file in psutil.Process(os.getpid()).open_files())


async def answered(reads: Reads, name: str, query: Operation[int] = quick) -> int:
    """For what must come: a busy machine may take its time."""
    return await reads.run(name, query, asyncio.get_running_loop().time() + 40)


async def give_up(asked: list[asyncio.Task[int]]) -> None:
    for task in asked:
        task.cancel()
    await asyncio.wait(asked)
    assert all(task.cancelled() for task in asked)


async def ended() -> None:
    await until("no thread reads", lambda: not threads())


def checkpoint(path: Path) -> tuple[int, int, int]:
    """Whether somebody who reads was in the way; pages in the log, pages that were moved."""
    with closing(sqlite3.connect(path, timeout=0)) as conn:
        conn.execute("UPDATE alembic_version SET version_num = version_num")
        conn.commit()
        found: tuple[int, int, int] = conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return found


async def test_connections_are_kept_of_few(reads: Reads, folder: Path) -> None:
    for _ in range(3):
        assert await answered(reads, "health") == 0
        assert await answered(reads, "shard-0") == 0
    await ended()
    assert (open_files(folder / "health.db"), open_files(folder / "shard-0.db")) == (1, 0)
    with pytest.raises(StoreError) as refused:
        await answered(reads, "recovery")
    assert refused.value.reason is StoreReason.MISSING
    await reads.close()
    assert open_files(folder / "health.db") == 0


async def test_nothing_is_written(reads: Reads) -> None:
    async def writes(conn: Statements) -> int:
        return (await conn.execute(text("DELETE FROM outbox"))).rowcount

    with pytest.raises(StoreError, match="readonly"):
        await answered(reads, "health", writes)
    assert await answered(reads, "health") == 0


async def test_an_endless_statement_is_ended_and_leaves_no_lock(reads: Reads, folder: Path) -> None:
    began = time.monotonic()
    with pytest.raises(StoreLate, match=r"health\.db: did not answer within 0\.3 s"):
        await reads.begin().run("health", endless)
    assert PATIENCE <= time.monotonic() - began < PATIENCE + SLACK
    await ended()
    assert checkpoint(folder / "health.db") == (0, 0, 0)
    assert await answered(reads, "health") == 0


async def test_what_a_request_begins_after_it_was_given_up_is_ended_too(reads: Reads, folder: Path, disk: Disk) -> None:
    """``interrupt`` alone ends what runs at that moment, and this thread is between two statements."""

    async def more(conn: Statements) -> int:
        await disk.read(conn)
        return await endless(conn)

    asked = asyncio.create_task(answered(reads, "health", more))
    await until("it is between two statements", lambda: disk.hanging == 1)
    await give_up([asked])
    disk.answers.set()
    await ended()
    assert checkpoint(folder / "health.db") == (0, 0, 0)


async def test_a_cancelled_request_ends_its_statement(folder: Path) -> None:
    reads = Reads(lambda name: folder / f"{name}.db", 600.0)
    asked = asyncio.create_task(reads.begin().run("health", endless))
    await until("it is read", lambda: bool(threads()))
    asked.cancel()
    await asyncio.wait({asked})
    assert asked.cancelled()
    await ended()
    assert checkpoint(folder / "health.db") == (0, 0, 0)
    await reads.close()


async def test_all_reads_of_a_request_share_its_time(reads: Reads) -> None:
    reading = reads.begin()
    with pytest.raises(StoreLate):
        await reading.run("health", endless)
    with pytest.raises(StoreLate) as refused:
        await reading.run("shard-0", endless)
    assert refused.value.path.stem == "shard-0"


async def test_a_disk_that_hangs_takes_no_more_than_its_places(reads: Reads, disk: Disk, folder: Path) -> None:
    """Nobody can end these threads, so that there must be no more of them."""
    asked = [asyncio.create_task(answered(reads, "health", disk.read)) for _ in range(20)]
    await until("two threads hang", lambda: disk.hanging == MOST_OF_ONE)
    assert await answered(reads, "shard-0") == 0, "another database is read meanwhile"
    await give_up(asked)
    for _ in range(3):
        began = time.monotonic()
        with pytest.raises(StoreLate):
            await reads.begin().run("health", quick)
        assert time.monotonic() - began < PATIENCE + SLACK
    assert await answered(reads, "shard-0") == 0
    await until("two threads are left", lambda: disk.hanging == len(threads()) == MOST_OF_ONE)

    asked = [asyncio.create_task(answered(reads, shard, disk.read)) for shard in SHARDS for _ in range(3)]
    await until("no place is left", lambda: disk.hanging == MOST)
    await give_up(asked)
    for name in ("health", *SHARDS):
        with pytest.raises(StoreLate):
            await reads.begin().run(name, quick)
    await until("no thread came to them", lambda: disk.hanging == len(threads()) == MOST)

    disk.answers.set()
    for name in ("health", *SHARDS):
        assert await answered(reads, name) == 0
        assert checkpoint(folder / f"{name}.db")[0] == 0


async def test_who_waits_is_answered_when_there_is_a_place(folder: Path, disk: Disk) -> None:
    reads = Reads(lambda name: folder / f"{name}.db", 30.0)
    asked = [asyncio.create_task(reads.begin().run("health", disk.read)) for _ in range(20)]
    given_up = asked.pop()
    await until("two threads hang", lambda: disk.hanging == MOST_OF_ONE)
    given_up.cancel()
    disk.answers.set()
    assert await asyncio.gather(*asked) == [0] * 19
    await ended()
    assert open_files(folder / "health.db") <= MOST_OF_ONE
    await reads.close()


async def test_the_end_does_not_wait_for_a_disk_that_hangs(reads: Reads, disk: Disk) -> None:
    asked = asyncio.create_task(answered(reads, "health", disk.read))
    await until("a thread hangs", lambda: disk.hanging == 1)
    await give_up([asked])
    began = time.monotonic()
    await reads.close()
    assert time.monotonic() - began < END_PATIENCE + SLACK
    assert len(threads()) == 1
    disk.answers.set()
    await ended()


async def test_another_process_that_writes_keeps_nobody_waiting(reads: Reads, folder: Path) -> None:
    with held("begin", folder / "health.db"):
        assert await answered(reads, "health") == 0
    assert await answered(reads, "health") == 0


async def test_another_process_that_locks_out_readers(reads: Reads, folder: Path) -> None:
    with held("exclusive", folder / "health.db"):
        for _ in range(2):
            with pytest.raises(StoreLate):
                await reads.begin().run("health", quick)
        assert await answered(reads, "shard-0") == 0
    await ended()
    assert await answered(reads, "health") == 0


async def test_another_process_that_locks_the_index_of_the_log(reads: Reads, folder: Path) -> None:
    async with await open_writer(folder / "health.db"):
        assert await answered(reads, "health") == 0
        with held("readers", folder / "health.db"), pytest.raises(StoreLate):
            await reads.begin().run("health", quick)
        await ended()
        assert await answered(reads, "health") == 0


async def test_a_lock_that_is_not_given_back_is_told_when_there_is_time(folder: Path) -> None:
    reads = Reads(lambda name: folder / f"{name}.db", 30.0)
    with held("exclusive", folder / "health.db"), pytest.raises(StoreError) as refused:
        await reads.begin().run("health", quick)
    assert refused.value.reason is StoreReason.BUSY
    await reads.close()


def test_a_reader_that_was_aborted_before_it_began(folder: Path) -> None:
    reader = AbortableReader(folder / "health.db")
    reader.abort()
    with pytest.raises(StoreError, match="interrupted"):
        reader.read(endless)
    reader.close()
    reader.abort()
    reader.close()
