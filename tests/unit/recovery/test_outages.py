"""Outages as recovery tells them."""

import errno
from pathlib import Path

import pytest

from actors.admission.board import Board
from actors.admission.ledger import Ledger, ledger_path
from actors.admission.outage import Outage
from actors.recovery.outages import Outages, changes
from actors.store import outbox
from actors.store.engine import open_writer
from actors.store.migrate import upgrade
from actors.store.tables import Kind

ON = Outage(since=100.0, cause="network_unreachable", probes=3)


def test_what_begins_and_what_ends_is_told_once() -> None:
    (began,) = changes({}, {"baileys": ON, "simulator": Outage()}, 103.0)
    assert (began.at, began.session) == (100.0, None)
    assert began.data == {"connector": "baileys", "cause": "network_unreachable", "since": 100.0, "ended": None}
    assert changes({"baileys": ON}, {"baileys": Outage(since=100.0, probes=9)}, 110.0) == []
    (ended,) = changes({"baileys": ON}, {"baileys": Outage(ended_at=5.0)}, 120.0)
    assert (ended.at, ended.data["ended"], ended.data["since"]) == (120.0, 120.0, 100.0)
    over, again = changes({"baileys": ON}, {"baileys": Outage(since=130.0)}, 131.0)
    assert (over.data["ended"], again.data["since"]) == (131.0, 130.0)
    assert [event.data["ended"] for event in changes({"baileys": ON}, {}, 140.0)] == [140.0], "its board is gone"


async def test_the_board_is_read_and_the_outbox_tells(tmp_path: Path) -> None:
    upgrade(tmp_path / "recovery.db", Kind.RECOVERY)
    hosts = Ledger(ledger_path(tmp_path, "baileys"))
    async with await open_writer(tmp_path / "recovery.db") as database:
        outages = Outages(tmp_path)
        assert await outages.look(database, 90.0) is None
        await hosts.act(lambda _: (Board(outage=ON), None))
        assert await outages.look(database, 101.0) == 1
        assert await outages.look(database, 106.0) is None
        await hosts.act(lambda _: (Board(), None))
        assert await outages.look(database, 111.0) == 2
        events = await database.run(lambda conn: outbox.read_after(conn, 0, 10))
        assert [(event.type, event.data["ended"]) for event in events] == [
            ("recovery.outage", None),
            ("recovery.outage", 111.0),
        ]
    hosts.close()


async def test_a_fresh_actor_tells_the_end_of_what_another_told(tmp_path: Path) -> None:
    upgrade(tmp_path / "recovery.db", Kind.RECOVERY)
    hosts = Ledger(ledger_path(tmp_path, "baileys"))
    async with await open_writer(tmp_path / "recovery.db") as database:
        await hosts.act(lambda _: (Board(outage=ON), None))
        assert await Outages(tmp_path).look(database, 101.0) == 1
        assert await Outages(tmp_path).look(database, 106.0) is None, "it lasts, and was told"
        await hosts.act(lambda _: (Board(), None))
        assert await Outages(tmp_path).look(database, 111.0) == 2
        assert await Outages(tmp_path).look(database, 116.0) is None
        ended = (await database.run(lambda conn: outbox.read_after(conn, 1, 10)))[0].data
        assert (ended["since"], ended["ended"]) == (100.0, 111.0)
    hosts.close()


async def test_of_a_board_that_cant_be_read_the_last_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade(tmp_path / "recovery.db", Kind.RECOVERY)
    hosts = Ledger(ledger_path(tmp_path, "baileys"))
    async with await open_writer(tmp_path / "recovery.db") as database:
        await hosts.act(lambda _: (Board(outage=ON), None))
        first, fresh = Outages(tmp_path), Outages(tmp_path)
        assert await first.look(database, 101.0) == 1

        def fails(_: object) -> Board:
            raise OSError(errno.EIO, "the disk")

        with monkeypatch.context() as patched:
            patched.setattr(Ledger, "read", fails)
            assert await first.look(database, 106.0) is None
            assert await fresh.look(database, 106.0) is None
        await hosts.act(lambda _: (Board(), None))
        assert await first.look(database, 111.0) == 2
    hosts.close()
