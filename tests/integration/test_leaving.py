"""A session that leaves the configuration: marked, told of once, and back as it was."""

from pathlib import Path
from typing import Any

import pytest

from actors.connectors.host.roster import Roster
from actors.events import EventType
from actors.health.book import Book
from actors.health.quality import bands
from actors.health.score import Ageing
from actors.health.view import Scoring
from actors.health.weights import Weights
from actors.messages.plans import SessionPlan
from actors.messages.sessions import SessionHello
from actors.store import outbox, shard_queries
from actors.store.engine import open_writer
from actors.store.migrate import upgrade
from actors.store.records import SessionState
from actors.store.tables import Kind

pytestmark = pytest.mark.integration

NOW = 1_800_000_000.0
HERE: Any = object()


def blocked(life: int = 1, number: int = 1) -> SessionState:
    data = {"saved": {"state": "blocked"}, "previous": "open"}
    return SessionState("a", life, number, "blocked", NOW, "banned", 406, data)


async def test_it_is_told_of_once_and_keeps_its_verdict(tmp_path: Path) -> None:
    upgrade(tmp_path / "shard-0.db", Kind.SHARD)
    async with await open_writer(tmp_path / "shard-0.db") as database:
        async with database.begin() as conn:
            await shard_queries.store_transition(conn, blocked())
            roster = Roster(await shard_queries.load_states(conn))
        roster.plan([SessionPlan("a", "simulator", True)])
        assert roster.leavers() == []
        roster.plan([])
        assert roster.leavers() == ["a"]
        assert roster.leavers() == []
        async with database.begin() as conn:
            await shard_queries.leave_session(conn, "a", NOW)
        async with database.begin() as conn:
            states = await shard_queries.load_states(conn)
            events = await outbox.read_after(conn, 1, 10)
        assert [(event.type, event.data) for event in events] == [(EventType.SESSION_REMOVED, {"kept": True})]
        assert Roster(states).leavers() == []  # a host that starts anew does not tell of it again

        # health, started meanwhile, does not show it
        book = Book(Scoring(Weights(40.0, 15.0, 20.0, 15.0, 10.0), Ageing.after(45.0)), bands(85, 65, 40), 3)
        book.states(states, NOW)
        assert book.sessions() == set()

        # it is back with its verdict, and its next transition takes the mark away
        roster.plan([SessionPlan("a", "simulator", True)])
        member = roster.enter(SessionHello("a", 1, 1), HERE)
        assert member is not None
        assert (member.life, member.saved) == (2, {"state": "blocked"})
        async with database.begin() as conn:
            await shard_queries.store_transition(conn, blocked(life=2))
            states = await shard_queries.load_states(conn)
        book.states(states, NOW)
        assert book.sessions() == {"a"}


async def test_one_that_moved_is_forgotten_in_silence(tmp_path: Path) -> None:
    upgrade(tmp_path / "shard-0.db", Kind.SHARD)
    async with await open_writer(tmp_path / "shard-0.db") as database, database.begin() as conn:
        for moved, told in ((True, []), (False, [EventType.SESSION_REMOVED])):
            await shard_queries.store_transition(conn, blocked())
            seen = await outbox.last_seq(conn)
            await shard_queries.forget_session(conn, "a", NOW, moved=moved)
            assert await shard_queries.load_states(conn) == {}
            assert [event.type for event in await outbox.read_after(conn, seen, 10)] == told
