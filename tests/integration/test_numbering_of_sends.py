"""Sends are taken over also where api.db is another one than before."""

from pathlib import Path

import pytest

from actors.store import api_queries, cursors, shard_queries
from actors.store.engine import open_writer
from actors.store.migrate import upgrade
from actors.store.records import SendProgress
from actors.store.tables import Kind
from daemon.numbering import go_on

pytestmark = pytest.mark.integration


async def accepted(folder: Path, id: str) -> list[str]:
    """Main accepts a text and a host takes over what is new: what that is."""
    async with await open_writer(folder / "api.db") as api, await open_writer(folder / "shard-0.db") as shard:
        async with api.begin() as conn:
            await api_queries.store_placement(conn, {"a": ("simulator", 0)} if id == "first" else {})
        await api.run(lambda conn: api_queries.add_send(conn, "a", id, "x@s.whatsapp.net", "hello", 1.0))
        after = await shard.run(lambda conn: cursors.get_cursor(conn, shard_queries.SENDS_CURSOR))
        new = await api.run(lambda conn: api_queries.new_sends(conn, after, 0, 100))
        taken = [SendProgress(s.session, s.id, f"3EB0{s.id}", s.to_jid, "queued", 1.0) for s in new]
        if taken:
            await shard.run(lambda conn: shard_queries.accept_sends(conn, taken, new[-1].seq))
        return [send.id for send in new]


async def test_sends_of_a_new_api_db_are_not_passed_over(tmp_path: Path) -> None:
    shards = [tmp_path / "shard-0.db", tmp_path / "shard-1.db"]
    upgrade(tmp_path / "api.db", Kind.API)
    for path in shards:
        upgrade(path, Kind.SHARD)
    assert go_on(tmp_path / "api.db", shards) == 0
    for n, id in enumerate(["first", "second", "third"], start=1):
        assert await accepted(tmp_path, id) == [id]
        assert go_on(tmp_path / "api.db", shards) == n, "nothing to do"
    (tmp_path / "api.db").unlink()
    upgrade(tmp_path / "api.db", Kind.API)
    (tmp_path / "shard-2.db").write_bytes(b"no database" * 99)
    shards.append(tmp_path / "shard-2.db")
    assert go_on(tmp_path / "api.db", shards) == go_on(tmp_path / "api.db", shards) == 3
    assert await accepted(tmp_path, "first") == ["first"]
    assert await accepted(tmp_path, "fourth") == ["fourth"]
