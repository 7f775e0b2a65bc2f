"""Recovery reads on in the shards and in health, also when one of them can't be read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from actors.events import EventType
from actors.recovery.book import Book
from actors.recovery.follow import Follower
from actors.recovery.ledger import Ledger
from actors.settings import Settings, settings_from
from actors.store import outbox, recovery_queries, shard_queries
from actors.store.engine import open_reader, open_writer
from actors.store.migrate import upgrade
from actors.store.records import NewEvent, SessionState
from actors.store.tables import Kind
from config.loader import check

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "wavigil.yaml").write_text(f"state_dir: {tmp_path}\nsessions: []\n")
    upgrade(tmp_path / "health.db", Kind.HEALTH)
    upgrade(tmp_path / "recovery.db", Kind.RECOVERY)
    return settings_from(check(tmp_path / "wavigil.yaml").config, None)


async def opened(folder: Path, shard: str, session: str, at: float = 100.0) -> None:
    await stands(folder, shard, session, at, "open", "connecting")


async def stands(
    folder: Path, shard: str, session: str, at: float, state: str, previous: str, cause: str | None = None
) -> None:
    upgrade(folder / f"{shard}.db", Kind.SHARD)
    stored = SessionState(session, 1, int(at), state, at, cause, None, {"previous": previous})
    async with await open_writer(folder / f"{shard}.db") as database:
        await database.run(lambda conn: shard_queries.store_transition(conn, stored))


async def told(folder: Path, at: float, **liveness: str) -> None:
    """Health tells of sessions that are open."""
    said = [(id, {"liveness": its, "since": at - 50}) for id, its in liveness.items()]
    news = [NewEvent(at, EventType.HEALTH_LIVENESS, id, data) for id, data in said]
    async with await open_writer(folder / "health.db") as health:
        await health.run(lambda conn: outbox.append(conn, news))


def replace(folder: Path, name: str, kind: Kind) -> None:
    """As the documentation tells operators to do with a damaged one."""
    for file in folder.glob(f"{name}.db*"):
        file.unlink()
    upgrade(folder / f"{name}.db", kind)


@asynccontextmanager
async def recovery(settings: Settings, now: float) -> AsyncIterator[tuple[Follower, Ledger]]:
    """The actor's, from its start to its end."""
    async with await open_writer(settings.database("recovery")) as database:
        ledger = Ledger(database, Book())
        await ledger.load(now)
        follower = Follower(settings, ledger, database.watch)
        yield follower, ledger
        await follower.close()


def doubts(ledger: Ledger) -> dict[str, str | None]:
    return {id: case.episode.doubt for id, case in ledger.book.cases.items()}


async def test_health_that_begins_anew_is_heard(tmp_path: Path, settings: Settings) -> None:
    await opened(tmp_path, "shard-0", "a")
    for n in range(4):
        await told(tmp_path, 150.0 + n, a="deaf" if n % 2 else "alive")
    async with recovery(settings, 200.0) as (follower, ledger):
        await follower.read_all()
        assert doubts(ledger) == {"a": "deaf"}
    replace(tmp_path, "health", Kind.HEALTH)
    await told(tmp_path, 250.0, a="alive")
    async with recovery(settings, 300.0) as (follower, ledger):
        await follower.read_all()
        assert doubts(ledger) == {}
        await told(tmp_path, 301.0, a="deaf")
        await follower.read_all()
        assert doubts(ledger) == {"a": "deaf"}


async def test_a_shard_that_begins_anew_is_heard_though_it_has_more_to_tell(tmp_path: Path, settings: Settings) -> None:
    await opened(tmp_path, "shard-0", "a")
    async with recovery(settings, 200.0) as (follower, ledger):
        await follower.read_all()
        assert await ledger.cursor("shard-0") == 1
    replace(tmp_path, "shard-0", Kind.SHARD)
    await stands(tmp_path, "shard-0", "a", 210.0, "waiting", "open", "connection_lost")
    await stands(tmp_path, "shard-0", "a", 211.0, "connecting", "waiting")
    async with recovery(settings, 300.0) as (follower, ledger):
        await follower.read_all()
        assert (ledger.book.cases["a"].episode.attempts, await ledger.cursor("shard-0")) == (1, 2)


async def test_an_older_copy_of_an_outbox_is_followed_from_its_end(tmp_path: Path, settings: Settings) -> None:
    await opened(tmp_path, "shard-0", "a")
    await told(tmp_path, 150.0, a="deaf")
    await told(tmp_path, 160.0, a="alive")
    (tmp_path / "backup").write_bytes((tmp_path / "health.db").read_bytes())
    await told(tmp_path, 170.0, a="deaf")
    await told(tmp_path, 180.0, a="alive")
    async with recovery(settings, 200.0) as (follower, ledger):
        await follower.read_all()
    (tmp_path / "backup").replace(tmp_path / "health.db")
    async with recovery(settings, 300.0) as (follower, ledger):
        await follower.read_all()
        assert (doubts(ledger), await ledger.cursor("health")) == ({}, 2)
        await told(tmp_path, 301.0, a="deaf")
        await follower.read_all()
        assert doubts(ledger) == {"a": "deaf"}
        async with await open_reader(settings.database("recovery")) as database:
            begun = await database.run(lambda conn: recovery_queries.latest_episodes(conn, "a", 9))
        assert len(begun) == 3, "none was counted twice"


async def test_one_shard_that_cant_be_read_concerns_its_own_sessions_only(tmp_path: Path, settings: Settings) -> None:
    await opened(tmp_path, "shard-0", "a")
    await opened(tmp_path, "shard-1", "b")
    unread = (tmp_path / "shard-0.db").rename(tmp_path / "elsewhere")
    (tmp_path / "shard-0.db").write_bytes(b"no database" * 999)
    await told(tmp_path, 200.0, a="deaf", b="deaf")
    async with recovery(settings, 300.0) as (follower, ledger):
        for _ in range(2):
            assert (await follower.read_all()).behind == {"shard-0"}
            assert ledger.book.cases.keys() == {"b"}
        unread.rename(tmp_path / "shard-0.db")
        assert (await follower.read_all()).behind == frozenset()
        assert doubts(ledger) == {"a": "deaf", "b": "deaf"}


async def test_what_is_kept_for_later_outlives_the_actor_and_counts_once(tmp_path: Path, settings: Settings) -> None:
    await opened(tmp_path, "shard-0", "a")
    await opened(tmp_path, "shard-1", "b")
    await told(tmp_path, 140.0, a="alive")
    async with recovery(settings, 145.0) as (follower, ledger):
        await follower.read_all()
    unread = (tmp_path / "shard-0.db").rename(tmp_path / "elsewhere")
    (tmp_path / "shard-0.db").write_bytes(b"no database" * 999)
    for at, says in ((150.0, "deaf"), (151.0, "alive"), (152.0, "deaf")):
        await told(tmp_path, at, a=says, b=says)
    for _ in range(3):  # killed at any time, and started again
        async with recovery(settings, 300.0) as (follower, ledger):
            await follower.read_all()
            assert doubts(ledger) == {"b": "deaf"}
            assert await ledger.left("health") == [6]
    unread.rename(tmp_path / "shard-0.db")
    for _ in range(2):
        async with recovery(settings, 400.0) as (follower, ledger):
            await follower.read_all()
            assert doubts(ledger) == {"a": "deaf", "b": "deaf"}
            assert await ledger.left("health") == []
    async with await open_reader(settings.database("recovery")) as database, database.begin() as conn:
        begun = [await recovery_queries.latest_episodes(conn, session, 9) for session in "ab"]
    assert [len(episodes) for episodes in begun] == [1, 2]
