"""The ledger on a real database: each event of a shard counts once, whatever is killed between."""

import random
from pathlib import Path
from typing import Any

import pytest

from actors.events import EventType
from actors.recovery.ledger import Ledger
from actors.store import outbox, recovery_queries
from actors.store.engine import Database, open_writer
from actors.store.errors import StoreError
from actors.store.migrate import upgrade
from actors.store.records import OutboxEvent
from actors.store.tables import Kind

pytestmark = pytest.mark.integration

STORY = [
    ("connecting", "open", None),
    ("open", "waiting", "connection_closed"),
    ("waiting", "connecting", "connection_closed"),
    ("connecting", "waiting", "connection_lost"),
    ("waiting", "connecting", "connection_lost"),
    ("connecting", "open", None),
    ("open", "halted", "replaced"),
    ("open", "waiting", "connection_closed"),
]


def events(session: str, first: int) -> list[OutboxEvent]:
    return [
        OutboxEvent(first + n, float(first + n), "session.state", session, _data(previous, state, cause))
        for n, (previous, state, cause) in enumerate(STORY)
    ]


def _data(previous: str, state: str, cause: str | None) -> dict[str, Any]:
    return {"previous": previous, "state": state, "cause": cause}


async def told(database: Database) -> list[tuple[str, str | None, Any]]:
    async with database.begin() as conn:
        found = await outbox.read_after(conn, 0, 1000)
    return [(event.type, event.session, event.data) for event in found]


async def fresh(folder: Path, name: str) -> Database:
    upgrade(folder / name, Kind.RECOVERY)
    return await open_writer(folder / name)


@pytest.mark.parametrize("seed", range(4))
async def test_killed_at_any_place_the_ledger_is_the_same(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    story = [event for pair in zip(events("a", 1), events("b", 101), strict=True) for event in pair]
    story = [OutboxEvent(n, e.at, e.type, e.session, e.data) for n, e in enumerate(story, start=1)]
    async with await fresh(tmp_path, "whole.db") as whole, await fresh(tmp_path, "killed.db") as killed:
        ledger = Ledger(whole)
        await ledger.load()
        await ledger.account("shard-0", story)

        ledger = Ledger(killed)
        await ledger.load()
        while (position := await ledger.cursor("shard-0")) < len(story):
            step = story[position : position + rng.randint(1, 3)]
            if rng.random() < 0.3:  # dies within the transaction
                with pytest.raises(RuntimeError):
                    await ledger.account("shard-0", [*step, OutboxEvent(0, 0.0, "session.state", "a", _Fatal())])
            else:
                await ledger.account("shard-0", step)
            if rng.random() < 0.6:  # another actor takes over
                ledger = Ledger(killed)
                await ledger.load()
        assert await told(killed) == await told(whole)
        rows = []
        for database in (killed, whole):
            async with database.begin() as conn:
                rows.append([await recovery_queries.latest_episodes(conn, id, 9) for id in ("a", "b")])
        assert rows[0] == rows[1]


class _Fatal(dict[str, Any]):
    def get(self, *_: Any) -> Any:
        raise RuntimeError("killed")


async def test_a_removed_session_ends_its_episode(tmp_path: Path) -> None:
    async with await fresh(tmp_path, "recovery.db") as database:
        ledger = Ledger(database)
        await ledger.load()
        removed = OutboxEvent(9, 50.0, str(EventType.SESSION_REMOVED), "a", {})
        await ledger.account("shard-0", [*events("a", 1), removed])
        async with database.begin() as conn:
            assert await recovery_queries.open_episodes(conn) == []
            last = (await recovery_queries.latest_episodes(conn, "a", 1))[0]
        assert (last.outcome, last.ended_at) == ("removed", 50.0)
        kind, _, data = (await told(database))[-1]
        assert (kind, data["outcome"]) == (EventType.RECOVERY_STOPPED, "removed")
        await ledger.prune(50.0, batch=1)
        async with database.begin() as conn:
            assert [row.ended_at for row in await recovery_queries.latest_episodes(conn, "a", 9)] == [50.0]


async def test_nothing_is_remembered_that_was_not_stored(tmp_path: Path) -> None:
    database = await fresh(tmp_path, "recovery.db")
    ledger = Ledger(database)
    await ledger.load()
    async with database.begin() as conn:
        await conn.exec_driver_sql("CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(FAIL, 'no'); END")
    with pytest.raises(StoreError):
        await ledger.account("shard-0", events("a", 1))
    assert await ledger.cursor("shard-0") == 0
    async with database.begin() as conn:
        await conn.exec_driver_sql("DROP TRIGGER full")
    await ledger.account("shard-0", events("a", 1))
    started = [entry for entry in await told(database) if entry[0] == EventType.RECOVERY_STARTED]
    assert len(started) == 3
    await database.close()
