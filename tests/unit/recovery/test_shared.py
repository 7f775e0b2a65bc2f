"""Fleets whose sessions are open and ill, and stay so: what is tried, how much of it, and that it is never silent."""

import math
from collections.abc import Collection
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.events import EventType
from actors.recovery.book import Book, Step
from actors.recovery.budgets import HOUR_S, Budgets
from actors.recovery.decide import Limits, Rule
from actors.recovery.strategies import Strategy
from actors.store.records import OutboxEvent

RECONNECT, RESTART, FAILOVER, SLOW = Strategy.RECONNECT, Strategy.RESTART, Strategy.FAILOVER, Strategy.SLOW_LANE
LOOK_S = 20.0
NOTICED_S = 100.0
"""From an opening until health says that it is deaf again, or that it works."""
LIMITS = Limits()
LONGEST_S = HOUR_S + 2 * LIMITS.slow_s + 600.0
"""Between two things done to a session that stays ill: an hour for a budget, the slow lane, and a queue."""


class Fleet:
    """Open sessions; what is ordered is done at once.  Who is ill, or lives on a wedged process, goes deaf again."""

    def __init__(self, shards: dict[str, int], budgets: Budgets | None = None) -> None:
        self.now = 1e6
        self.seq = 0
        self.book = Book(budgets)
        self.ill: set[str] = set()
        self.wedged: set[str] = set()
        self.paused: dict[str, float] = {}
        self.refuses: Collection[Strategy] = ()
        self.orders: list[tuple[float, str, Strategy]] = []
        self.told: list[tuple[float, str]] = []
        self.silent: list[str] = []
        self._noticed: dict[str, float] = {}
        self.shards = {f"{shard}/{n}": shard for shard, number in shards.items() for n in range(number)}
        for session in self.shards:
            self._tell(session, EventType.SESSION_STATE, state="open", previous="connecting")

    def _tell(self, session: str, kind: EventType, **data: Any) -> None:
        self.seq += 1
        self.now += 0.001
        for step in self.book.event(self.shards[session], OutboxEvent(self.seq, self.now, str(kind), session, data)):
            self._heed(step)

    def _heed(self, step: Step | None) -> None:
        for note in () if step is None else step.notes:
            if note.type is EventType.RECOVERY_ESCALATED and step is not None:
                self.told.append((note.at, step.session))

    def lives(self, seconds: float) -> None:
        end = self.now + seconds
        for session in self.ill | {id for id, shard in self.shards.items() if shard in self.wedged}:
            self._noticed.setdefault(session, self.now)
        while self.now < end:
            self.now += LOOK_S
            for session, at in list(self._noticed.items()):
                if at <= self.now:
                    self._is_judged(session)
            self._look()

    def _is_judged(self, session: str) -> None:
        del self._noticed[session]
        if session in self.ill or self.shards[session] in self.wedged:
            self._tell(session, EventType.HEALTH_LIVENESS, liveness="deaf", since=self.now - 60)
        else:
            opened = self.book.known[session].opened_at
            self._tell(session, EventType.HEALTH_PROOF, openedAt=opened, proven=True)

    def _look(self) -> None:
        """As the actor does."""
        survey = self.book.survey(self.now, self.paused)
        for session in list(self.book.cases):
            decision = self.book.decide(session, survey, self.now, self.paused.get(session))
            if decision.act:
                self._heed(self.book.order(session, decision, self.now))
                if self.book.cases[session].episode.pending_at == self.now:
                    self._does(session, decision.strategy)
                survey = self.book.survey(self.now, self.paused)
            elif decision.rule in {Rule.BUDGET, Rule.HELD}:
                self._heed(self.book.escalate(session, self.now))
            if not decision.act and decision.until is None and decision.rule not in {Rule.UNPROVEN, Rule.CROWD}:
                self.silent.append(f"{session}: {decision.rule}")

    def _does(self, session: str, strategy: Strategy) -> None:
        if strategy in self.refuses:
            self.book.refused(session, self.now)
            return
        self.orders.append((self.now, session, strategy))
        shard = self.shards[session]
        if strategy is FAILOVER:
            self.wedged.discard(shard)
        for moved in [id for id in self.shards if self.shards[id] == shard] if strategy is FAILOVER else [session]:
            for previous, state in (("open", "closing"), ("closing", "connecting"), ("connecting", "open")):
                self._tell(moved, EventType.SESSION_STATE, state=state, previous=previous)
            self._noticed[moved] = self.now + NOTICED_S

    def done(self, strategy: Strategy) -> list[str]:
        return [session for _, session, order in self.orders if order is strategy]


@pytest.mark.parametrize(
    "shards",
    [
        {"shard-0": 32},
        {"shard-0": 32, "shard-1": 32},
        {"shard-0": 32, "shard-1": 32, "shard-2": 32, "shard-3": 32},
        {"shard-0": 5, "shard-1": 5},
        {"shard-0": 3, "shard-1": 17},
    ],
)
def test_a_wedged_connector_process_is_replaced_once_and_all_are_well(shards: dict[str, int]) -> None:
    """Also where that is a third of the fleet and more, or would use up the logins of an hour with a restart each."""
    fleet = Fleet(shards)
    fleet.wedged = {"shard-0"}
    fleet.lives(900.0)
    assert [fleet.shards[session] for session in fleet.done(FAILOVER)] == ["shard-0"]
    assert fleet.done(RESTART) == [], "the trouble is in the process"
    assert (fleet.book.cases, fleet.told) == ({}, [])


def test_two_wedged_processes_are_replaced_one_after_the_other() -> None:
    fleet = Fleet({"shard-0": 16, "shard-1": 16})
    fleet.wedged = {"shard-0", "shard-1"}
    fleet.lives(HOUR_S)
    assert sorted(fleet.shards[session] for session in fleet.done(FAILOVER)) == ["shard-0", "shard-1"]
    assert len(fleet.done(RESTART)) <= 2
    assert fleet.book.cases == {}


def test_what_helps_nobody_is_done_to_few_and_all_go_on_in_the_slow_lane() -> None:
    fleet = Fleet({"shard-0": 12, "shard-1": 12, "shard-2": 12})
    fleet.ill = set(fleet.shards)
    fleet.lives(3 * LIMITS.slow_s)
    deeds = [(at, session) for at, session, strategy in fleet.orders if strategy.is_deed]
    for (before, session), (at, other) in pairwise(deeds):
        assert session == other or at - before >= LIMITS.probe_s
    assert 2 <= len(deeds) <= 2 * 3 * LIMITS.slow_s / LIMITS.probe_s
    assert sorted(fleet.done(RECONNECT)) == sorted(fleet.shards), "each tries another connection"
    assert {case.episode.strategy for case in fleet.book.cases.values()} == {SLOW}
    assert sorted(session for _, session in fleet.told) == sorted(fleet.shards), "each is told once"
    fleet.lives(3 * LIMITS.slow_s)
    assert set(fleet.done(SLOW)) == set(fleet.shards)
    assert fleet.silent == []


def test_what_helps_one_is_done_to_the_next() -> None:
    """Three of ten, on two processes: each needs a fresh actor."""
    fleet = Fleet({"shard-0": 5, "shard-1": 5})
    fleet.ill = {"shard-0/0", "shard-0/1", "shard-1/0", "shard-1/1"}
    began = fleet.now
    while fleet.ill and fleet.now < began + HOUR_S:
        fleet.lives(LOOK_S)
        fleet.ill -= set(fleet.done(RESTART))
    fleet.lives(300.0)
    assert len(fleet.done(RESTART)) == 4
    assert (fleet.done(FAILOVER), fleet.book.cases) == ([], {})


@pytest.mark.parametrize(
    ("budgets", "rungs"),
    [
        ({RECONNECT: 6, RESTART: 3, FAILOVER: 0}, [RECONNECT, RESTART, SLOW, SLOW]),
        ({RECONNECT: 6, RESTART: 0, FAILOVER: 1}, [RECONNECT, FAILOVER, SLOW, SLOW]),
        ({RECONNECT: 6, RESTART: 0, FAILOVER: 0}, [RECONNECT, SLOW, SLOW]),
        ({RECONNECT: 0, RESTART: 3, FAILOVER: 0}, [RESTART]),
    ],
)
def test_a_rung_that_the_budgets_never_allow_is_none(budgets: dict[Strategy, int], rungs: list[Strategy]) -> None:
    fleet = Fleet({"shard-0": 10}, Budgets(budgets))
    fleet.ill = {"shard-0/0"}
    fleet.lives(600.0 + 2 * LIMITS.slow_s)
    assert [strategy for _, _, strategy in fleet.orders] == rungs
    assert fleet.book.cases["shard-0/0"].episode.strategy is SLOW
    assert [session for _, session in fleet.told] == ["shard-0/0"]


def test_what_is_barred_for_long_gives_way_to_the_slow_lane() -> None:
    paused, refusing = Fleet({"shard-0": 10}), Fleet({"shard-0": 10})
    paused.paused = {"shard-0/9": math.inf}
    refusing.refuses = {RESTART}
    for fleet, rungs in ((paused, [RECONNECT, RESTART]), (refusing, [RECONNECT])):
        fleet.ill = {"shard-0/0"}
        fleet.lives(600.0)
        assert [strategy for _, _, strategy in fleet.orders] == rungs
        assert fleet.told == []
        fleet.lives(LIMITS.slow_s)
        assert [session for _, session in fleet.told] == ["shard-0/0"]
        fleet.lives(LIMITS.slow_s)
        assert [strategy for _, _, strategy in fleet.orders] == [*rungs, SLOW]


def test_a_failover_for_which_there_is_no_room_is_waited_for_and_told() -> None:
    """For the hour after which there is: a fresh process helps more than the slow lane."""
    fleet = Fleet({"shard-0": 10}, Budgets(logins=11))
    fleet.ill = {"shard-0/0"}
    fleet.lives(HOUR_S)
    assert [strategy for _, _, strategy in fleet.orders] == [RECONNECT, RESTART]
    assert [session for _, session in fleet.told] == ["shard-0/0"]
    fleet.lives(600.0)
    assert fleet.done(FAILOVER) == ["shard-0/0"]


@settings(max_examples=25, deadline=None)
@given(
    shards=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    share=st.floats(0.1, 1.0),
    budgets=st.tuples(st.integers(1, 6), st.integers(0, 3), st.integers(0, 1)),
    refuses=st.sets(st.sampled_from([RESTART, FAILOVER])),
    paused=st.booleans(),
)
def test_whatever_stays_ill_is_tried_again_and_told(
    shards: list[int], share: float, budgets: tuple[int, int, int], refuses: set[Strategy], paused: bool
) -> None:
    bounds = Budgets(dict(zip((RECONNECT, RESTART, FAILOVER), budgets, strict=True)))
    fleet = Fleet({f"shard-{n}": number for n, number in enumerate(shards)}, bounds)
    sessions = list(fleet.shards)
    fleet.ill = set(sessions[: max(1, round(share * len(sessions)))])
    fleet.refuses = refuses
    if paused and len(fleet.ill) < len(sessions):
        fleet.paused = {sessions[-1]: math.inf}
    began = fleet.now
    fleet.lives(2 * LONGEST_S)
    assert fleet.silent == []
    for session in fleet.ill:
        times = [began, *(at for at, who, _ in fleet.orders if who == session), fleet.now]
        assert max(later - at for at, later in pairwise(times)) <= LONGEST_S
    assert {session for _, session in fleet.told} == fleet.ill
    deeds = [(at, fleet.shards[who]) for at, who, strategy in fleet.orders if strategy is FAILOVER]
    for at, shard in deeds:
        assert not any(at < later < at + LIMITS.failover_pause_s for later, where in deeds if where == shard)
