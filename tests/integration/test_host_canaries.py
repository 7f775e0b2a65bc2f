"""Canaries in a host: sent once, and kept from people's messages."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.connectors import canary_id
from actors.connectors.host import canaries as host_canaries
from actors.connectors.link_events import Receipt
from actors.connectors.protocol import STORED
from actors.messages.services import SendCanary
from actors.runtime.rpc import RemoteError
from actors.store import listening_queries
from actors.store.engine import open_writer
from actors.store.migrate import upgrade
from actors.store.tables import Kind
from tests.fixtures_daemon import until
from tests.integration.test_host_sends import TO, Peer, Shard, inbound

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

KEY = bytes(range(canary_id.KEY_BYTES))


@pytest.fixture
async def shard(short_tmp: Path) -> AsyncIterator[Shard]:
    upgrade(short_tmp / "health.db", Kind.HEALTH)
    async with await open_writer(short_tmp / "health.db") as database:
        assert await database.run(lambda conn: listening_queries.keep_canary_key(conn, KEY)) == KEY
    shard = Shard(short_tmp, Peer())
    await shard.open()
    yield shard
    await shard.close()


async def test_what_became_of_it_is_answered_and_nothing_is_repeated(shard: Shard) -> None:
    id = canary_id.make(KEY, b"0001")
    asked = SendCanary(id, "a", TO, "canary")
    await shard.canaries.send(asked)
    shard.peer.answers = [RemoteError("nack", "no", {"error": 463})]
    await shard.canaries.send(asked)
    assert [(answer.id, answer.error) for answer in shard.answers] == [(id, None), (id, "nack")]
    assert shard.peer.got == [("a", id, "canary")] * 2


async def test_it_is_no_message_and_its_receipt_is_none(shard: Shard) -> None:
    confirmer = shard.greet(STORED)
    mine, foreign = canary_id.make(KEY, b"0001"), canary_id.make(KEY[::-1], b"0001")
    events = [
        inbound("M-1", 1),
        inbound(mine, 2),
        inbound(foreign, 3),
        Receipt(session="a", at=1, message_id=mine, type="delivered", n=4),
        Receipt(session="a", at=1, message_id="M-2", type="delivered", n=5),
    ]
    for event in events:
        shard.news.take(event, confirmer)
    await shard.news.flush()
    assert shard.events("session.message") == ["M-1", foreign]
    assert shard.events("session.canary") == [mine]
    assert shard.events("session.receipt") == ["M-2"]
    await until("all of it was confirmed", lambda: shard.peer.stored[-1:] == [5])


async def test_one_that_comes_after_a_restart_is_known(shard: Shard) -> None:
    await shard.kill()
    await shard.start()
    shard.news.take(inbound(canary_id.make(KEY, b"0002"), None), shard.greet())
    await shard.news.flush()
    await asyncio.sleep(0)
    assert shard.events("session.message") == []
    assert len(shard.events("session.canary")) == 1


async def test_a_broken_database_of_health_does_not_hold_up_messages(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sends one chooses its id."""
    monkeypatch.setattr(host_canaries, "KEY_PATIENCE", 0.5)
    (short_tmp / "health.db").write_bytes(b"no database " * 1000)
    shard = Shard(short_tmp, Peer())
    await shard.open()
    try:
        suspect, confirmer = canary_id.make(KEY, b"0003"), shard.greet(STORED)
        for number, id in enumerate((suspect, "M-1"), start=1):
            shard.news.take(inbound(id, number), confirmer)
        async with asyncio.timeout(20):
            await shard.news.flush()
        assert shard.events("session.message") == [suspect, "M-1"]
    finally:
        await shard.close()


async def test_the_key_that_was_read_outlives_its_database(shard: Shard) -> None:
    await shard.canaries.look()
    for path in shard.folder.glob("health.db*"):
        path.unlink()
    shard.news.take(inbound(canary_id.make(KEY, b"0004"), None), shard.greet())
    await shard.news.flush()
    assert shard.events("session.message") == []
    assert len(shard.events("session.canary")) == 1
