"""What sessions that moved take over from other shards, on real databases."""

import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from actors.connectors.host import heritage
from actors.connectors.host.heritage import Heritage, Share
from actors.connectors.host.journal import Journal
from actors.settings import settings_from
from actors.store import api_queries, inbound, shard_queries
from actors.store.direct import Operation
from actors.store.engine import Database, open_reader, open_writer
from actors.store.errors import StoreError
from actors.store.migrate import upgrade
from actors.store.tables import Kind
from config.schema import Config

T = TypeVar("T")

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

HERE = 9


def nothing() -> None:
    """Happens meanwhile."""


class Meanwhile(Journal):
    """Something happens while it reads."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, lambda _: None)
        self.happens: Callable[[], None] = nothing

    async def read(self, operation: Operation[T]) -> T:
        found = await super().read(operation)
        self.happens()
        return found


class World:
    """Sessions that were told one message each in shards 0, 1, ...; shard 9 is where they come to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opened: list[str] = []
        self.happens: Callable[[], None] = nothing
        """While another shard is opened."""
        self.api: Database
        self.here: Database
        self.journal: Meanwhile
        self.heritage: Heritage

    async def open(self) -> None:
        for kind, name in ((Kind.API, "api"), (Kind.SHARD, f"shard-{HERE}")):
            upgrade(self.folder / f"{name}.db", kind)
        self.api = await open_writer(self.folder / "api.db")
        self.here = await open_writer(self.folder / f"shard-{HERE}.db")
        self.journal = Meanwhile(self.here)
        settings = settings_from(Config.model_validate({"state_dir": str(self.folder)}), None)
        self.heritage = Heritage(HERE, settings, self.journal, self.api)

    async def close(self) -> None:
        await self.here.close()
        await self.api.close()

    async def open_reader(self, path: Path) -> Database:
        self.opened.append(path.stem)
        self.happens()
        return await open_reader(path)

    async def tell(self, shard: int, *sessions: str) -> None:
        """Each is told a message there."""
        path = self.folder / f"shard-{shard}.db"
        if not path.exists():
            upgrade(path, Kind.SHARD)
        async with await open_writer(path) as database, database.begin() as conn:
            for session in sessions:
                await inbound.first_time(conn, session, [f"{shard}"], time.time())

    async def place(self, shard: int, *sessions: str) -> None:
        async with self.api.begin() as conn:
            await api_queries.store_placement(conn, dict.fromkeys(sessions, ("simulator", shard)))

    async def move(self, *sessions: str) -> None:
        """From shard 0 to here."""
        await self.place(0, *sessions)
        await self.place(HERE, *sessions)

    async def store(self, shares: list[Share]) -> None:
        async with self.here.begin() as conn:
            for share in shares:
                await inbound.inherit(conn, share.session, share.seen, share.moves)
        self.heritage.settled(shares)


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    made = World(tmp_path)
    monkeypatch.setattr(heritage, "open_reader", made.open_reader)
    await made.open()
    yield made
    await made.close()


def counted(shares: list[Share]) -> dict[str, int]:
    """Of each session, how many messages it takes over."""
    return {share.session: len(share.seen) for share in shares}


async def test_a_plan_that_comes_while_other_shards_are_read_disturbs_nothing(world: World) -> None:
    await world.tell(0, "a", "b")
    await world.move("a", "b")
    world.happens = world.heritage.replan
    shares = await world.heritage.of(["a", "b"])
    assert counted(shares) == {"a": 1, "b": 1}
    await world.store(shares)
    assert await world.heritage.of(["a", "b"]) == []


async def test_a_plan_that_comes_while_it_is_found_out_who_came_counts(world: World) -> None:
    await world.tell(0, "a", "b")
    await world.move("a")
    await world.place(0, "b")

    def plan() -> None:
        world.journal.happens = nothing
        with sqlite3.connect(world.folder / "api.db") as conn:
            conn.execute("UPDATE placement SET shard = ?, moves = 1 WHERE session = 'b'", (HERE,))
        conn.close()
        world.heritage.replan()

    world.journal.happens = plan
    assert counted(await world.heritage.of(["a"])) == {"a": 1}
    assert counted(await world.heritage.of(["b"])) == {"b": 1}


async def test_each_shard_is_opened_once_for_all_who_came(world: World) -> None:
    await world.tell(0, "a", "b", "c")
    await world.tell(1, "a", "c")
    await world.tell(2, "b", "x")
    await world.move("a", "b", "c")
    shares = await world.heritage.of(["a", "b", "a", "x"])
    assert counted(shares) == {"a": 2, "b": 2}
    assert world.opened == ["shard-0", "shard-1", "shard-2"]
    await world.store(shares)
    assert await world.heritage.of(["a", "b", "x"]) == []
    assert world.opened == ["shard-0", "shard-1", "shard-2"]


async def test_a_database_that_can_not_be_read_is_done_without_and_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (world.folder / "shard-1.db").write_bytes(b"broken")
    (world.folder / "shard-2.db").write_bytes(b"broken, too")
    await world.tell(0, "a", "b")
    await world.tell(3, "a")
    await world.move("a", "b")
    with pytest.raises(StoreError):
        await world.heritage.of(["a"])
    monkeypatch.setattr(heritage, "PATIENCE", 0.0)
    shares = await world.heritage.of(["a"])
    assert counted(shares) == {"a": 2}
    await world.store(shares)
    opened = len(world.opened)
    assert await world.heritage.of(["a"]) == []
    assert len(world.opened) == opened
    assert counted(await world.heritage.of(["b"])) == {"b": 1}
    assert len(caplog.records) == 2, "a line for each of them, once"


async def test_a_database_without_tables_is_not_waited_for(world: World, caplog: pytest.LogCaptureFixture) -> None:
    (world.folder / "shard-1.db").touch()
    with sqlite3.connect(world.folder / "shard-2.db") as conn:
        conn.execute("CREATE TABLE alembic_version (version_num TEXT)")
    conn.close()
    await world.tell(0, "a")
    await world.move("a")
    assert counted(await world.heritage.of(["a"])) == {"a": 1}
    assert world.opened == ["shard-0", "shard-1", "shard-2"]
    assert caplog.records == []


async def test_each_database_has_a_patience_of_its_own(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.move("a")
    (world.folder / "shard-1.db").write_bytes(b"broken")
    monkeypatch.setattr(heritage, "PATIENCE", 0.0)
    assert counted(await world.heritage.of(["a"])) == {"a": 0}
    monkeypatch.setattr(heritage, "PATIENCE", 3600.0)
    (world.folder / "shard-1.db").unlink()
    (world.folder / "shard-2.db").write_bytes(b"broken")
    with pytest.raises(StoreError):
        await world.heritage.of(["a"])
    (world.folder / "shard-2.db").unlink()
    await world.tell(2, "a")
    assert counted(await world.heritage.of(["a"])) == {"a": 1}


async def test_a_session_that_was_made_again_takes_over_though_one_of_its_name_had_come_and_left(world: World) -> None:
    await world.tell(0, "a")
    await world.move("a")
    await world.store(await world.heritage.of(["a"]))
    await world.place(2, "a")
    async with world.here.begin() as conn:
        await shard_queries.forget_session(conn, "a", time.time(), moved=True)
    async with world.api.begin() as conn:
        await api_queries.forget_placement(conn, {"a"})
    await world.tell(1, "a")
    await world.move("a")
    world.heritage.replan()
    assert counted(await world.heritage.of(["a"])) == {"a": 2}
