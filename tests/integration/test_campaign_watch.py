"""The campaign's look at the databases of a daemon: everything is seen once, and what is missing is told."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from actors.store.migrate import upgrade
from actors.store.tables import Kind
from tests.bench.campaign.truth import Acted, Judged, Moved
from tests.bench.campaign.watch import Watch

pytestmark = pytest.mark.integration


def append(file: Path, *events: tuple[int, str, dict[str, object]]) -> None:
    with closing(sqlite3.connect(file)) as conn, conn:
        rows = [(seq, float(seq), type, "a", json.dumps(data)) for seq, type, data in events]
        conn.executemany("INSERT INTO outbox (seq, at, type, session, data) VALUES (?, ?, ?, ?, ?)", rows)


def move(seq: int, previous: str, state: str, cause: str | None = None) -> tuple[int, str, dict[str, object]]:
    return seq, "session.state", {"state": state, "previous": previous, "cause": cause}


async def test_everything_is_seen_once_and_a_gap_is_told(tmp_path: Path) -> None:
    shard = tmp_path / "shard-0.db"
    upgrade(shard, Kind.SHARD)
    upgrade(tmp_path / "health.db", Kind.HEALTH)
    append(shard, move(1, "starting", "connecting"))
    watch = Watch(tmp_path)
    watch.look()
    append(shard, move(2, "connecting", "open"))
    append(tmp_path / "health.db", (1, "health.liveness", {"liveness": "deaf"}))
    watch.look()
    watch.look()
    assert watch.seen == [
        Moved("a", 1.0, "connecting", "starting", None),
        Moved("a", 2.0, "open", "connecting", None),
        Judged("a", 1.0, "deaf"),
    ]
    assert await watch.until("a", lambda last: last is not None and last.state == "open", 0.0)
    assert not watch.gaps
    append(shard, move(4, "open", "waiting", "connection_closed"))
    watch.look()
    assert watch.gaps == ["shard-0: 4 follows 2"]
    assert not await watch.until("a", lambda last: last is not None and last.state == "open", 0.01)
    watch.close()


def test_deeds_are_read_from_the_ledger(tmp_path: Path) -> None:
    ledger = tmp_path / "recovery.db"
    upgrade(ledger, Kind.RECOVERY)
    watch = Watch(tmp_path)
    watch.look()
    with closing(sqlite3.connect(ledger)) as conn, conn:
        columns = "episode, session, cause, at, strategy, why"
        conn.execute(f"INSERT INTO actions ({columns}) VALUES (1, 'a', 'deaf', 5.0, 'restart', '{{}}')")  # noqa: S608
    watch.look()
    assert watch.seen == [Acted("a", 5.0, "restart")]
    watch.close()
