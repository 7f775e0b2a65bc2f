"""What is explained of a time is what was done then: recorded events, replayed, lead to the decisions of the ledger."""

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from actors.events import EventType
from actors.recovery.book import Book
from actors.recovery.decide import Decision, Rule
from actors.recovery.explain import explain, rebuild, survey
from actors.recovery.keep import DEED, REFUSED, SUPERSEDED
from actors.recovery.ledger import Ledger
from actors.recovery.recorded import OF_SHARD, recorded
from actors.recovery.strategies import Strategy
from actors.session import resume
from actors.session.causes import Cause
from actors.session.state import Saved, Trouble
from actors.session.vocabulary import State
from actors.store import outbox, recovery_queries, shard_queries
from actors.store.direct import Direct, Operation, Statements
from actors.store.engine import Database, open_writer
from actors.store.migrate import upgrade
from actors.store.records import NewEvent, OutboxEvent, SessionState
from actors.store.tables import Kind

pytestmark = pytest.mark.integration

SHARDS = ("shard-0", "shard-1")
SESSIONS = {"a": "shard-0", "b": "shard-0", "c": "shard-1"}
TROUBLES = [Cause.CONNECTION_LOST, Cause.CONNECTION_LOST, Cause.PROTOCOL_ERROR, Cause.NETWORK_UNREACHABLE]


class Stage:
    """Databases as the actors write them, and a ledger that follows them in the time of a story."""

    def __init__(self, databases: dict[str, Database]) -> None:
        self.databases = databases
        self.ledger = Ledger(databases["recovery"], Book())
        self.now = 1e6
        self.at = dict.fromkeys(SESSIONS, State.STARTING)
        self._numbers = dict.fromkeys(SESSIONS, 0)

    async def run(self, name: str, operation: Operation[Any]) -> Any:
        return await self.databases[name].run(operation)

    async def goes(self, session: str, state: State, cause: Cause | None = None) -> None:
        self.now += 0.05
        self._numbers[session] += 1
        saved = Saved(state, trouble=None if cause is None else Trouble(cause), attempt=1)
        data = {"previous": str(self.at[session]), "saved": resume.dump(saved)}
        stored = SessionState(session, 1, self._numbers[session], str(state), self.now, cause, None, data)
        source, self.at[session] = SESSIONS[session], state
        await self.run(source, lambda conn: shard_queries.store_transition(conn, stored))
        await self.follow(source)

    async def health(self, kind: EventType, session: str, data: dict[str, Any]) -> None:
        self.now += 0.05
        await self.run("health", lambda conn: outbox.append(conn, [NewEvent(self.now, kind, session, data)]))
        await self.follow("health")

    async def follow(self, source: str) -> None:
        cursor = await self.ledger.cursor(source)
        found: list[OutboxEvent] = await self.run(source, lambda conn: outbox.read_after(conn, cursor, 500))
        await self.ledger.account(source, found)

    async def acts(self, rng: random.Random) -> None:
        for session in list(self.ledger.book.cases):
            self.now += 0.05
            decision = self.ledger.book.decide(session, self.ledger.book.survey(self.now), self.now)
            if not decision.act:
                continue
            await self.ledger.order(session, decision, self.now)
            if self.ledger.book.cases[session].episode.pending_at != self.now:
                continue
            if rng.random() < 0.2:
                self.now += 0.05
                await self.ledger.refuse(session, self.now)
            elif self.at[session] is State.OPEN:
                await self.goes(session, State.CLOSING)
                await self.goes(session, State.CONNECTING, Cause.DEAF)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    kinds = {**dict.fromkeys(SHARDS, Kind.SHARD), "health": Kind.HEALTH, "recovery": Kind.RECOVERY}
    databases = {}
    for name, kind in kinds.items():
        upgrade(tmp_path / f"{name}.db", kind)
        databases[name] = await open_writer(tmp_path / f"{name}.db")
    yield Stage(databases)
    for database in databases.values():
        await database.close()


async def live_through(stage: Stage, rng: random.Random, moments: int) -> None:
    for session in SESSIONS:
        await stage.goes(session, State.OPEN)
    for _ in range(moments):
        session = rng.choice(list(SESSIONS))
        state = stage.at[session]
        stage.now += rng.choice([0.0, 1.0, 20.0, 70.0, 400.0])
        if state is State.OPEN and rng.random() < 0.6:
            liveness = rng.choice(["deaf", "deaf", "outbound_stuck", "alive"])
            data = {"liveness": liveness, "since": stage.now - 40}
            await stage.health(EventType.HEALTH_LIVENESS, session, data)
        elif state is State.OPEN and rng.random() < 0.3:
            known = stage.ledger.book.known[session]
            data = {"openedAt": known.opened_at, "proven": rng.random() < 0.8}
            await stage.health(EventType.HEALTH_PROOF, session, data)
        elif state is State.OPEN:
            await stage.goes(session, State.WAITING, rng.choice(TROUBLES))
        elif state is State.WAITING:
            await stage.goes(session, State.CONNECTING)
        else:
            failed = rng.random() < 0.6
            await stage.goes(session, State.WAITING if failed else State.OPEN, rng.choice(TROUBLES) if failed else None)
        await stage.acts(rng)


@pytest.mark.parametrize("seed", range(2))
async def test_each_order_is_explained_as_it_was_decided(stage: Stage, seed: int) -> None:
    await live_through(stage, random.Random(seed), 150)
    orders = [
        a for a in await stage.run("recovery", lambda conn: recovery_queries.actions_since(conn, 0.0)) if DEED in a.why
    ]
    assert len({order.strategy for order in orders}) > 1
    for order in orders:
        # just before it was stored, and with what was learnt then: nothing, in this story
        at = order.at - 1e-6
        found = await recorded(stage.run, SHARDS, order.session, at, live=False)
        told = explain(found)
        assert told.decision.act, (order, told)
        assert (str(told.decision.strategy), told.decision.rule) == (order.strategy, order.why["rule"])
        compared = ("attempts", "cost", "budget", "processBudget", "troubled", "processTroubled", "sessions")
        assert {k: told.decision.facts[k] for k in compared} == {k: order.why[k] for k in compared}
    assert any(order.outcome == REFUSED for order in orders)


async def test_now_is_explained_as_the_actor_decides(stage: Stage) -> None:
    rng = random.Random(7)
    for _ in range(12):
        await live_through(stage, rng, 8)
        for session in SESSIONS:
            book = stage.ledger.book
            decided = book.decide(session, book.survey(stage.now), stage.now)
            told = explain(await recorded(stage.run, SHARDS, session, stage.now))
            assert (told.decision.rule, told.decision.strategy, told.decision.act) == (
                decided.rule,
                decided.strategy,
                decided.act,
            )
            case = book.cases.get(session)
            assert (told.episode is None) == (case is None)
            assert told.to_view()["sessionId"] == session


async def test_what_an_operator_orders_is_in_the_ledger_with_the_name(stage: Stage) -> None:
    await stage.goes("a", State.OPEN)
    await stage.ledger.force("a", Strategy.FAILOVER, "alice", stage.now + 1)
    stage.now += 1.5
    told = explain(await recorded(stage.run, SHARDS, "a", stage.now))
    assert (told.decision.rule, told.decision.strategy) == (Rule.UNDER_WAY, Strategy.FAILOVER)
    assert told.budgets["failover"]["used"] == 1
    for state in (State.CLOSING, State.WAITING, State.CONNECTING, State.OPEN):
        await stage.goes("a", state, Cause.CONNECTOR_RECYCLED if state is State.WAITING else None)
    opened = stage.ledger.book.known["a"].opened_at
    await stage.health(EventType.HEALTH_PROOF, "a", {"openedAt": opened, "proven": True})
    row = (await stage.run("recovery", lambda conn: recovery_queries.latest_episodes(conn, "a", 1)))[0]
    done = await stage.run("recovery", lambda conn: recovery_queries.actions_in(conn, row.id))
    assert (row.cause, row.strategy, row.outcome, row.healed_at) == ("operator_reconnect", "failover", "healed", opened)
    assert [(a.strategy, a.outcome, a.why["by"]) for a in done] == [("failover", "helped", "alice")]


async def test_an_order_that_was_refused_leaves_a_healthy_session_alone(stage: Stage) -> None:
    await stage.goes("a", State.OPEN)
    for late in (False, True):
        stage.now += 1.0
        await stage.ledger.force("a", Strategy.RESTART, "alice", stage.now)
        if late:  # nobody answers
            stage.now += 100.0
            decision = stage.ledger.book.decide("a", stage.ledger.book.survey(stage.now), stage.now)
            assert (decision.rule, decision.act) == (Rule.FORCED, False)
        await stage.ledger.refuse("a", stage.now)
        assert stage.ledger.book.cases == {}
        assert stage.ledger.book.deeds["a"] == ()
    rows = await stage.run("recovery", lambda conn: recovery_queries.latest_episodes(conn, "a", 9))
    assert [(row.outcome, row.healed_at) for row in rows] == [("operator", None)] * 2
    done = await stage.run("recovery", lambda conn: recovery_queries.actions_since(conn, 0.0))
    assert [(a.strategy, a.outcome) for a in done] == [("restart", REFUSED)] * 2


@pytest.mark.parametrize("opens", [True, False])
async def test_an_operators_order_that_is_lost_is_no_strategy_that_failed(stage: Stage, opens: bool) -> None:
    """On a session that has trouble of its own, open again and not yet proved, or still closed."""
    await stage.goes("a", State.OPEN)
    await stage.goes("a", State.WAITING, Cause.CONNECTION_LOST)
    await stage.goes("a", State.CONNECTING)
    if opens:
        await stage.goes("a", State.OPEN)
    before = stage.ledger.book.cases["a"].episode
    for strategy in (Strategy.RECONNECT, Strategy.FAILOVER):
        stage.now += 1.0
        await stage.ledger.force("a", strategy, "alice", stage.now)
    stage.ledger = await reloaded(stage)
    stage.now += 100.0
    decision = stage.ledger.book.decide("a", stage.ledger.book.survey(stage.now), stage.now)
    assert (decision.rule, decision.act) == (Rule.FORCED, False)
    await stage.ledger.refuse("a", stage.now)
    after = stage.ledger.book.cases["a"].episode
    assert after == replace(before, refused_at=stage.now)
    stage.now += 1.0
    for told in (explain(await recorded(stage.run, SHARDS, "a", stage.now)).decision, decide_now(stage)):
        assert (told.rule, told.act) == (Rule.UNPROVEN if opens else Rule.RECONNECTS, False)
        assert told.strategy is Strategy.RECONNECT
    done = await stage.run("recovery", lambda conn: recovery_queries.actions_since(conn, 0.0))
    outcomes = [(action.strategy, action.outcome) for action in done if DEED in action.why]
    assert outcomes == [("reconnect", SUPERSEDED), ("failover", REFUSED)]


async def reloaded(stage: Stage) -> Ledger:
    ledger = Ledger(stage.databases["recovery"], Book())
    ledger.book.known = dict(stage.ledger.book.known)
    await ledger.load(stage.now)
    return ledger


def decide_now(stage: Stage) -> Decision:
    return stage.ledger.book.decide("a", stage.ledger.book.survey(stage.now), stage.now)


async def test_a_session_that_is_well_and_one_that_is_condemned(stage: Stage) -> None:
    await stage.goes("a", State.OPEN)
    well = explain(await recorded(stage.run, SHARDS, "a", stage.now))
    assert (well.decision.rule, well.episode, well.state, well.complete) == (Rule.WELL, None, "open", True)
    await stage.goes("b", State.WAITING, Cause.CONNECTION_LOST)
    waits = explain(await recorded(stage.run, SHARDS, "b", stage.now + 1))
    assert (waits.decision.rule, waits.ladder[0]) == (Rule.RECONNECTS, Strategy.RECONNECT)
    assert waits.next_delay_s == (0.0, 1.0)
    paused = explain(await recorded(stage.run, SHARDS, "b", stage.now + 1), paused={"b": float("inf")})
    assert paused.decision.rule is Rule.PAUSED
    assert paused.to_view()["until"] is None


async def test_a_pause_of_a_neighbour_is_part_of_what_is_around(stage: Stage) -> None:
    await stage.goes("a", State.OPEN)
    await stage.goes("b", State.OPEN)
    found = await recorded(stage.run, SHARDS, "a", stage.now + 1)
    book = rebuild(found)
    assert survey(book, found, {"b": float("inf")}).paused == {"shard-0"}
    assert survey(book, found, {"b": stage.now}).paused == frozenset()  # it is over
    assert survey(book, found).paused == frozenset()


async def test_nothing_is_read_that_is_older_than_the_trouble(stage: Stage) -> None:
    """The outbox of a shard may be a week long, and is not searched on the connection on which it is followed."""
    for session in ("a", "c"):
        for _ in range(20):
            await stage.goes(session, State.WAITING, Cause.CONNECTION_LOST)
            await stage.goes(session, State.OPEN)
            opened = stage.ledger.book.known[session].opened_at
            await stage.health(EventType.HEALTH_PROOF, session, {"openedAt": opened, "proven": True})
    stage.now += 1000.0
    await stage.goes("a", State.WAITING, Cause.CONNECTION_LOST)
    searched: list[str] = []

    async def search(name: str, operation: Operation[Any]) -> Any:
        searched.append(name)
        return await stage.run(name, operation)

    found = await recorded(stage.run, SHARDS, "a", stage.now + 1, search=search)
    assert searched == ["shard-0", "health"]
    assert [(source, event.data["state"]) for source, event in found.facts] == [
        ("shard-0", "open"),
        ("shard-0", "waiting"),
    ]
    assert (await recorded(stage.run, SHARDS, "a", stage.now + 1)).facts == found.facts
    assert found.complete


async def test_how_others_stood_is_looked_up(stage: Stage) -> None:
    """By index, of whatever else the outbox is full; as a search through all of it finds."""
    rng = random.Random(7)
    await live_through(stage, rng, 60)
    await stage.run("shard-0", lambda conn: shard_queries.forget_session(conn, "b", stage.now, moved=False))
    noise = [NewEvent(stage.now, EventType.SESSION_MESSAGE, session, {}) for session in "abcz" for _ in range(50)]
    await stage.run("shard-0", lambda conn: outbox.append(conn, noise))
    every = await stage.run("shard-0", lambda conn: outbox.read_after(conn, 0, 100_000))
    for at in [0.0, *(rng.uniform(1e6, stage.now) for _ in range(20)), stage.now]:
        wanted = {
            event.session: event
            for event in every
            if event.at <= at and event.type in {EventType.SESSION_STATE, EventType.SESSION_REMOVED}
        }
        assert await stage.run("shard-0", partial(shard_queries.last_told, at=at)) == wanted

    plans: list[str] = []

    async def plan(conn: Statements) -> None:
        raw = cast("Direct", conn).raw
        seen: list[str] = []
        raw.set_trace_callback(seen.append)
        await shard_queries.last_told(conn, stage.now)
        await outbox.read_session(conn, "a", OF_SHARD, stage.now - 1, stage.now)
        raw.set_trace_callback(None)
        for statement in seen:
            plans.extend(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}"))

    await stage.run("shard-0", plan)
    searched = [step for step in plans if "outbox" in step]
    assert searched
    assert all("outbox_transitions" in step for step in searched), plans


async def test_who_stands_for_longer_than_events_are_kept_is_known(stage: Stage) -> None:
    for session in SESSIONS:
        await stage.goes(session, State.OPEN)
    stage.now += 1000.0
    await outbox.prune(stage.databases["shard-0"], stage.now)
    await stage.goes("b", State.WAITING, Cause.CONNECTION_LOST)
    found = await recorded(stage.run, SHARDS, "a", stage.now - 10, live=False)
    assert {id: (known.shard, known.state) for id, known in found.known.items()} == {
        "a": ("shard-0", State.OPEN),
        "c": ("shard-1", State.OPEN),
    }, "where b stood is told by nothing any more"


async def test_who_moved_stands_where_it_is(stage: Stage) -> None:
    """Its events stay in the shard where it was."""
    await stage.goes("c", State.OPEN)
    await stage.run("shard-1", lambda conn: shard_queries.forget_session(conn, "c", stage.now, moved=True))
    stage.now += 10.0
    data = SessionState("c", 2, 1, str(State.CONNECTING), stage.now, None, None, {"previous": "starting"})
    await stage.run("shard-0", lambda conn: shard_queries.store_transition(conn, data))
    for at, shard in ((stage.now - 5, "shard-1"), (stage.now, "shard-0")):
        found = await recorded(stage.run, SHARDS, "c", at, live=False)
        assert found.known["c"].shard == shard
