"""The ledger on a real database: each event of a shard counts once, whatever is killed between."""

import random
from pathlib import Path
from typing import Any

import pytest

from actors.events import EventType
from actors.recovery.book import Book
from actors.recovery.decide import Rule
from actors.recovery.learning import Trials
from actors.recovery.ledger import Ledger
from actors.recovery.strategies import Strategy
from actors.session.causes import Cause
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
        ledger = Ledger(whole, Book())
        await ledger.load(0.0)
        await ledger.account("shard-0", story)

        ledger = Ledger(killed, Book())
        await ledger.load(0.0)
        while (position := await ledger.cursor("shard-0")) < len(story):
            step = story[position : position + rng.randint(1, 3)]
            if rng.random() < 0.3:  # dies within the transaction
                with pytest.raises(RuntimeError):
                    await ledger.account("shard-0", [*step, OutboxEvent(0, 0.0, "session.state", "a", _Fatal())])
            else:
                await ledger.account("shard-0", step)
            if rng.random() < 0.6:  # another actor takes over
                ledger = Ledger(killed, Book())
                await ledger.load(0.0)
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
        ledger = Ledger(database, Book())
        await ledger.load(0.0)
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
    ledger = Ledger(database, Book())
    await ledger.load(0.0)
    async with database.begin() as conn:
        await conn.exec_driver_sql("CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(FAIL, 'no'); END")
    with pytest.raises(StoreError):
        await ledger.account("shard-0", events("a", 1))
    assert await ledger.cursor("shard-0") == 0
    async with database.begin() as conn:
        await conn.exec_driver_sql("DROP TRIGGER full")
    await ledger.account("shard-0", events("a", 1))
    started = [entry for entry in await told(database) if entry[0] == EventType.RECOVERY_STARTED]
    assert len(started) == 2
    await database.close()


async def test_what_was_ordered_is_known_to_the_next_actor(tmp_path: Path) -> None:
    async with await fresh(tmp_path, "recovery.db") as database:
        ledger = Ledger(database, Book())
        await ledger.load(0.0)
        await ledger.account("shard-0", [state("a", 1, 10.0, "connecting", "open")])
        deaf = OutboxEvent(7, 400.0, str(EventType.HEALTH_LIVENESS), "a", {"liveness": "deaf", "since": 100.0})
        await ledger.account("health", [deaf], upto=9)
        decision = ledger.book.decide("a", ledger.book.survey(401.0), 401.0)
        assert (decision.act, decision.strategy) == (True, Strategy.RECONNECT)
        await ledger.order("a", decision, 401.0)

        again = Ledger(database, Book())
        await again.load(402.0)
        assert await again.cursor("health") == 9
        assert (again.book.cases, again.book.deeds) == (ledger.book.cases, ledger.book.deeds)
        again.book.known = ledger.book.known
        waits = again.book.decide("a", again.book.survey(402.0), 402.0)
        assert (waits.act, waits.rule) == (False, Rule.UNDER_WAY)

        # nobody took the order: it counts for nothing
        await again.refuse("a", 403.0)
        once_more = again.book.decide("a", again.book.survey(404.0), 434.0)
        assert (once_more.act, once_more.strategy) == (True, Strategy.RECONNECT)
        await again.order("a", once_more, 404.0)
        story = [
            state("a", 2, 405.0, "open", "closing"),
            state("a", 3, 406.0, "closing", "connecting", "deaf"),
            state("a", 4, 407.0, "connecting", "open"),
        ]
        await again.account("shard-0", story)
        proof = OutboxEvent(11, 420.0, str(EventType.HEALTH_PROOF), "a", {"openedAt": 407.0, "proven": True})
        await again.account("health", [proof])
        async with database.begin() as conn:
            row = (await recovery_queries.latest_episodes(conn, "a", 1))[0]
            done = await recovery_queries.actions_in(conn, row.id)
        assert (row.started_at, row.detected_at, row.healed_at, row.ended_at) == (100.0, 400.0, 407.0, 420.0)
        assert (row.cause, row.strategy, row.outcome, row.attempts) == ("deaf", "reconnect", "healed", 1)
        assert [(a.strategy, a.outcome, a.ended_at) for a in done] == [
            ("reconnect", "refused", 403.0),
            ("reconnect", "helped", 420.0),
        ]
        assert (done[1].why["rule"], done[1].why["deed"]) == ("first", 1)
        await again.learn(500.0)
        assert again.book.learnt.of(Cause.DEAF, Strategy.RECONNECT) == Trials(1, 0)
        assert again.book.learnt.attempts == {Cause.DEAF: (1, 1)}
        kinds = [kind for kind, _, _ in await told(database)]
        assert kinds == [
            EventType.RECOVERY_STARTED,
            EventType.RECOVERY_ACTION,
            EventType.RECOVERY_ACTION,
            EventType.RECOVERY_ATTEMPT,
            EventType.RECOVERY_SUCCEEDED,
        ]


async def outcomes(database: Database) -> list[tuple[str, str | None]]:
    async with database.begin() as conn:
        row = (await recovery_queries.latest_episodes(conn, "a", 1))[0]
        return [(a.strategy, a.outcome) for a in await recovery_queries.actions_in(conn, row.id)]


async def test_an_operator_takes_the_chance_of_an_order_that_has_yet_to_show(tmp_path: Path) -> None:
    async with await fresh(tmp_path, "recovery.db") as database:
        ledger = Ledger(database, Book())
        await ledger.load(0.0)
        await ledger.account("shard-0", [state("a", 1, 10.0, "connecting", "open")])
        deaf = OutboxEvent(7, 400.0, str(EventType.HEALTH_LIVENESS), "a", {"liveness": "deaf", "since": 100.0})
        await ledger.account("health", [deaf])
        await ledger.order("a", ledger.book.decide("a", ledger.book.survey(401.0), 401.0), 401.0)
        await ledger.force("a", Strategy.RESTART, "eve", 403.0)
        story = [
            state("a", 2, 405.0, "open", "closing"),
            state("a", 3, 406.0, "closing", "connecting", "deaf"),
            state("a", 4, 407.0, "connecting", "open"),
        ]
        await ledger.account("shard-0", story)
        assert await outcomes(database) == [("reconnect", "superseded"), ("restart", None)]
        # what the operator ordered has had its chance
        deaf = OutboxEvent(9, 500.0, str(EventType.HEALTH_LIVENESS), "a", {"liveness": "deaf", "since": 410.0})
        await ledger.account("health", [deaf])
        await ledger.force("a", Strategy.FAILOVER, "eve", 501.0)
        assert await outcomes(database) == [("reconnect", "superseded"), ("restart", "failed"), ("failover", None)]
        await ledger.learn(600.0)
        assert ledger.book.learnt.of(Cause.DEAF, Strategy.RECONNECT) == Trials()
        assert ledger.book.learnt.of(Cause.DEAF, Strategy.RESTART) == Trials(0, 1)


async def test_an_order_that_nobody_needed_has_not_helped(tmp_path: Path) -> None:
    async with await fresh(tmp_path, "recovery.db") as database:
        ledger = Ledger(database, Book())
        await ledger.load(0.0)
        await ledger.account("shard-0", [state("a", 1, 10.0, "connecting", "open")])
        story = [
            OutboxEvent(n, at, str(EventType.HEALTH_LIVENESS), "a", {"liveness": says, "since": at - 50})
            for n, (at, says) in enumerate([(400.0, "deaf"), (402.0, "alive")], start=7)
        ]
        await ledger.account("health", story[:1])
        await ledger.order("a", ledger.book.decide("a", ledger.book.survey(401.0), 401.0), 401.0)
        await ledger.account("health", story[1:])
        assert ledger.book.cases == {}
        assert await outcomes(database) == [("reconnect", "superseded")]
        await ledger.learn(500.0)
        assert ledger.book.learnt.of(Cause.DEAF, Strategy.RECONNECT) == Trials()


@pytest.mark.parametrize(("tries", "outcome"), [(0, "superseded"), (3, "superseded"), (6, "failed")])
async def test_tries_that_an_operator_cuts_short_have_not_failed(tmp_path: Path, tries: int, outcome: str) -> None:
    async with await fresh(tmp_path, "recovery.db") as database:
        ledger = Ledger(database, Book())
        await ledger.load(0.0)
        story = [state("a", 1, 10.0, "open", "waiting", "connection_closed")]
        for n in range(tries):
            story.append(state("a", 2 * n + 2, 20.0 * (n + 1), "waiting", "connecting", "connection_closed"))
            story.append(state("a", 2 * n + 3, 20.0 * (n + 1) + 1, "connecting", "waiting", "connection_closed"))
        await ledger.account("shard-0", story)
        await ledger.force("a", Strategy.RESTART, "eve", 150.0)
        assert await outcomes(database) == [("reconnect", outcome), ("restart", None)]


async def test_few_tries_that_are_used_up_end_with_a_stop(tmp_path: Path) -> None:
    async with await fresh(tmp_path, "recovery.db") as database:
        ledger = Ledger(database, Book())
        story = [
            state("a", 1, 1.0, "connecting", "waiting", "token_invalid"),
            state("a", 2, 2.0, "waiting", "connecting", "token_invalid"),
            state("a", 3, 3.0, "connecting", "halted", "token_invalid"),
            state("b", 4, 4.0, "open", "blocked", "banned"),
        ]
        await ledger.account("shard-0", story)
        async with database.begin() as conn:
            rows = {id: (await recovery_queries.latest_episodes(conn, id, 1))[0] for id in "ab"}
            done = {id: await recovery_queries.actions_in(conn, row.id) for id, row in rows.items()}
        assert {id: (row.strategy, row.outcome) for id, row in rows.items()} == {
            "a": ("stop", "halted"),
            "b": ("stop", "halted"),
        }
        assert [(a.strategy, a.outcome) for a in done["a"]] == [("reconnect", "failed"), ("stop", "final")]
        assert [(a.strategy, a.outcome) for a in done["b"]] == [("stop", "final")]


def state(session: str, seq: int, at: float, previous: str, now: str, cause: str | None = None) -> OutboxEvent:
    return OutboxEvent(seq, at, str(EventType.SESSION_STATE), session, _data(previous, now, cause))
