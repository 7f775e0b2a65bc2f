"""Following shards: what a fresh consumer is told again."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from actors.events import EventType
from actors.store import outbox, shard_queries
from actors.store.engine import open_writer
from actors.store.migrate import upgrade
from actors.store.records import NewEvent, OutboxEvent, SessionState
from actors.store.shard_tails import ShardTails
from actors.store.tables import Kind

pytestmark = pytest.mark.integration


def canary(id: str) -> NewEvent:
    return NewEvent(100.0, EventType.SESSION_CANARY, "a", {"messageId": id})


async def test_arrivals_of_canaries_are_told_again_from_a_number_on(tmp_path: Path) -> None:
    upgrade(tmp_path / "shard-0.db", Kind.SHARD)
    upgrade(tmp_path / "shard-1.db", Kind.SHARD)
    open_state = SessionState("a", 1, 1, "open", 100.0, None, None, {"previous": "connecting"})
    other = NewEvent(100.0, EventType.SESSION_UNDECRYPTABLE, "a", {"messageId": "U", "from": "somebody"})
    told: list[str] = []

    def loaded(states: Mapping[str, SessionState]) -> None:
        told.extend(states)

    def on_event(event: OutboxEvent) -> None:
        told.append(str(event.data["messageId"]))

    async with await open_writer(tmp_path / "shard-0.db") as shard, await open_writer(tmp_path / "shard-1.db") as idle:
        await idle.run(lambda conn: outbox.append(conn, [canary("elsewhere")]))
        await shard.run(lambda conn: shard_queries.store_transition(conn, open_state))
        await shard.run(lambda conn: outbox.append(conn, [canary("before")]))
        begun = await shard.run(outbox.last_seq)
        await shard.run(lambda conn: outbox.append(conn, [other, canary("C1"), other, canary("C2")]))
        tails = ShardTails(lambda name: tmp_path / f"{name}.db", loaded, on_event, {"shard-0": begun})
        assert tails.cursor("shard-0") is None
        await tails.look()
        assert told == ["a", "C1", "C2"], "after the states, and of no shard for which nobody asked"
        assert tails.cursor("shard-0") == begun + 4
        await shard.run(lambda conn: outbox.append(conn, [canary("C3")]))
        await tails.look()
        assert told == ["a", "C1", "C2", "C3"]
        await tails.close()
