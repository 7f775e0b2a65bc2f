"""Recovery reads on in the shards and in health, also when one of them can't be read."""

from pathlib import Path

import pytest

from actors.events import EventType
from actors.recovery.book import Book
from actors.recovery.follow import Follower
from actors.recovery.ledger import Ledger
from actors.settings import settings_from
from actors.store import outbox, shard_queries
from actors.store.engine import open_writer
from actors.store.migrate import upgrade
from actors.store.records import NewEvent, SessionState
from actors.store.tables import Kind
from config.loader import check

pytestmark = pytest.mark.integration


async def opened(folder: Path, shard: str, session: str) -> None:
    upgrade(folder / f"{shard}.db", Kind.SHARD)
    state = SessionState(session, 1, 1, "open", 100.0, None, None, {"previous": "connecting"})
    async with await open_writer(folder / f"{shard}.db") as database:
        await database.run(lambda conn: shard_queries.store_transition(conn, state))


async def test_one_shard_that_cant_be_read_concerns_its_own_sessions_only(tmp_path: Path) -> None:
    (tmp_path / "wavigil.yaml").write_text(f"state_dir: {tmp_path}\nsessions: []\n")
    settings = settings_from(check(tmp_path / "wavigil.yaml").config, None)
    await opened(tmp_path, "shard-0", "a")
    await opened(tmp_path, "shard-1", "b")
    upgrade(tmp_path / "health.db", Kind.HEALTH)
    upgrade(tmp_path / "recovery.db", Kind.RECOVERY)
    unread = (tmp_path / "shard-0.db").rename(tmp_path / "elsewhere")
    (tmp_path / "shard-0.db").write_bytes(b"no database" * 999)
    async with await open_writer(tmp_path / "health.db") as health:
        deaf = {"liveness": "deaf", "since": 150.0}
        news = [NewEvent(200.0, EventType.HEALTH_LIVENESS, session, deaf) for session in "ab"]
        await health.run(lambda conn: outbox.append(conn, news))
    async with await open_writer(tmp_path / "recovery.db") as database:
        ledger = Ledger(database, Book())
        await ledger.load(300.0)
        follower = Follower(settings, ledger, database.watch)
        for _ in range(2):
            assert (await follower.read_all()).behind == {"shard-0"}
            assert ledger.book.cases.keys() == {"b"}
        unread.rename(tmp_path / "shard-0.db")
        assert (await follower.read_all()).behind == frozenset()
        assert {id: case.episode.doubt for id, case in ledger.book.cases.items()} == {"a": "deaf", "b": "deaf"}
        await follower.close()
