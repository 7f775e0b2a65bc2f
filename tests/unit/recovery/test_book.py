"""What recovery does in any world that facts can make: the laws of its orders."""

import math
from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.events import EventType
from actors.recovery.book import Book, Step
from actors.recovery.budgets import HOUR_S, Budgets, Deed, kind
from actors.recovery.decide import Limits, Rule
from actors.recovery.episodes import Episode, climbed, ordered
from actors.recovery.strategies import Strategy
from actors.session.causes import Cause, Disposition
from actors.session.vocabulary import State
from actors.store.records import OutboxEvent

SESSIONS = ("a", "b", "c", "d", "e", "f")
RETRIED = sorted(
    c for c in Cause if c.disposition in {Disposition.BACK_OFF, Disposition.AT_ONCE, Disposition.FEW_TRIES}
)
VERDICTS = sorted(c for c in Cause if c.disposition.is_verdict)
FUTURE = {Rule.PAUSED, Rule.STANDS, Rule.UNPROVEN}
"""Decisions without a time of their own: something else goes on, and news of it decides anew."""

LIMITS = Limits()
CROWD_S = LIMITS.unanswered_s + LIMITS.patience_s
"""Longest time for which a deed counts as being under way."""


class World(RuleBasedStateMachine):
    """Any facts in any order, and whatever recovery decides is done at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1e6
        self.seq = 0
        self.book = Book()
        self.orders: list[tuple[float, str, Strategy]] = []
        self.rungs: dict[str, tuple[float, int]] = {}
        self.at = dict.fromkeys(SESSIONS, State.STARTING)
        self.paused = False
        for session in SESSIONS:
            self.goes(session, State.OPEN)

    @initialize(allowed=st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 1)))
    def is_configured(self, allowed: tuple[int, int, int]) -> None:
        rungs = (Strategy.RECONNECT, Strategy.RESTART, Strategy.FAILOVER)
        self.book.budgets = Budgets(dict(zip(rungs, allowed, strict=True)), logins=8)

    def tell(self, kind: EventType, session: str, data: dict[str, Any]) -> None:
        self.seq += 1
        self.now += 0.01
        shard = "shard-0" if session < "d" else "shard-1"
        for step in self.book.event(shard, OutboxEvent(self.seq, self.now, str(kind), session, data)):
            self.look(step)

    def look(self, step: Step) -> None:
        if step.after is None or (step.before and step.before.episode.began_at != step.after.episode.began_at):
            self.rungs.pop(step.session, None)
        if step.after is not None:
            episode = step.after.episode
            began, order = self.rungs.get(step.session, (episode.began_at, -1))
            assert episode.strategy.order >= order or began != episode.began_at, "climbed down"
            self.rungs[step.session] = (episode.began_at, episode.strategy.order)

    def goes(self, session: str, state: State, cause: Cause | None = None, **more: Any) -> None:
        previous, self.at[session] = self.at[session], state
        data = {"state": str(state), "previous": str(previous), "cause": cause, **more}
        self.tell(EventType.SESSION_STATE, session, data)

    @rule(session=st.sampled_from(SESSIONS), cause=st.sampled_from(RETRIED))
    def fails(self, session: str, cause: Cause) -> None:
        if self.at[session] not in {State.STOPPED, State.BLOCKED, State.HALTED}:
            self.goes(session, State.WAITING, cause)

    @rule(session=st.sampled_from(SESSIONS), opens=st.booleans())
    def tries(self, session: str, opens: bool) -> None:
        if self.at[session] in {State.WAITING, State.CLOSING}:
            self.goes(session, State.CONNECTING)
        elif self.at[session] is State.CONNECTING and opens:
            self.goes(session, State.OPEN)

    @rule(session=st.sampled_from(SESSIONS), cause=st.sampled_from(VERDICTS), until=st.booleans())
    def is_condemned(self, session: str, cause: Cause, until: bool) -> None:
        ban = cause is Cause.TEMPORARY_BAN and until
        self.goes(session, cause.state, cause, **({"until": self.now + 50} if ban else {}))

    @rule(session=st.sampled_from(SESSIONS), state=st.sampled_from([State.STOPPED, State.OPEN]))
    def operator(self, session: str, state: State) -> None:
        self.goes(session, state)

    @rule(
        session=st.sampled_from(SESSIONS),
        liveness=st.sampled_from(["deaf", "outbound_stuck", "half_open", "alive", "quiet"]),
    )
    def is_judged(self, session: str, liveness: str) -> None:
        self.tell(EventType.HEALTH_LIVENESS, session, {"liveness": liveness, "since": self.now - 30})

    @rule(sessions=st.sets(st.sampled_from(SESSIONS), min_size=3))
    def stay_deaf(self, sessions: set[str]) -> None:
        """Whatever was done about it."""
        for session in sorted(sessions):
            self.tries(session, opens=True)
            self.tries(session, opens=True)
            if self.at[session] is State.OPEN:
                self.is_judged(session, "deaf")

    @rule(session=st.sampled_from(SESSIONS), proven=st.booleans())
    def is_proved(self, session: str, proven: bool) -> None:
        known = self.book.known.get(session)
        opened = known.opened_at if known else None
        self.tell(EventType.HEALTH_PROOF, session, {"openedAt": opened, "proven": proven})

    @rule(session=st.sampled_from(SESSIONS))
    def is_removed(self, session: str) -> None:
        self.at[session] = State.STARTING
        self.tell(EventType.SESSION_REMOVED, session, {})
        assert session not in self.book.cases

    @rule(seconds=st.sampled_from([1.0, 10.0, 40.0, 70.0, 700.0, 2000.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def is_paused(self) -> None:
        self.paused = not self.paused

    @rule(session=st.sampled_from(SESSIONS), strategy=st.sampled_from([Strategy.RECONNECT, Strategy.FAILOVER]))
    def is_forced(self, session: str, strategy: Strategy) -> None:
        """And the order is lost."""
        case = self.book.cases.get(session)
        self.book.force(session, strategy, self.now)
        self.book.refused(session, self.now)
        assert (self.book.cases.get(session) is None) == (case is None)
        if case is not None:
            episode = self.book.cases[session].episode
            assert (
                replace(episode, refused_at=case.episode.refused_at, pending_at=case.episode.pending_at) == case.episode
            )

    @precondition(lambda self: self.book.cases)
    @rule(refused=st.booleans())
    def acts(self, refused: bool) -> None:
        for session in list(self.book.cases):
            decision = self.book.decide(
                session, self.book.survey(self.now), self.now, math.inf if self.paused else None
            )
            if not decision.act:
                continue
            before = self.book.cases[session].episode
            assert not self.paused
            assert self.at[session] not in {State.STOPPED, State.BLOCKED, State.HALTED}
            assert before.strategy.order <= Strategy.SLOW_LANE.order
            assert not before.last_cause.disposition.is_verdict, "what retrying makes worse was retried"
            step = self.book.order(session, decision, self.now)
            self.look(step)
            if self.book.cases[session].episode.pending_at != self.now:
                assert decision.strategy is Strategy.SLOW_LANE
                continue
            if refused:
                self.book.refused(session, self.now)
                continue
            self.orders.append((self.now, session, kind(decision.strategy)))
            if self.at[session] is State.OPEN:
                self.goes(session, State.CLOSING)

    @invariant()
    def budgets_hold(self) -> None:
        recent = [order for order in self.orders if self.now - order[0] < HOUR_S]
        for session in SESSIONS:
            for strategy, most in self.book.budgets.deeds.items():
                assert sum(o[1:] == (session, strategy) for o in recent) <= most

    @invariant()
    def every_episode_keeps_trying(self) -> None:
        survey = self.book.survey(self.now)
        for session in self.book.cases:
            decision = self.book.decide(session, survey, self.now)
            if decision.rule is Rule.CROWD and decision.until is None:  # a crowd goes by itself, whatever becomes of it
                later = self.now + CROWD_S
                decided = self.book.decide(session, self.book.survey(later), later)
                assert decided.rule is not Rule.CROWD or decided.until is not None
            else:
                tries = decision.rule is Rule.RECONNECTS and not self.book.cases[session].episode.open
                assert decision.act or decision.until is not None or decision.rule in FUTURE or tries
            assert decision.until is None or decision.until >= self.now
            assert decision == self.book.decide(session, survey, self.now)


World.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestWorld = World.TestCase


def test_a_copy_is_another_one() -> None:
    book = Book()
    data = {"state": "waiting", "previous": "open", "cause": "connection_closed"}
    other = book.copy()
    other.event("shard-0", OutboxEvent(1, 5.0, "session.state", "a", data))
    assert (book.known, book.cases) == ({}, {})
    assert isinstance(other.cases["a"].episode, Episode)


def told(
    book: Book, seq: int, at: float, session: str, previous: str, state: str, cause: str | None = None
) -> list[Step]:
    data = {"state": state, "previous": previous, "cause": cause}
    return list(book.event("shard-0", OutboxEvent(seq, at, "session.state", session, data)))


def test_what_breaks_siblings_is_stopped_and_told() -> None:
    book = Book()
    for n, session in enumerate("abcdef"):
        told(book, n, 100.0, session, "connecting", "open")
    deaf = {"liveness": "deaf", "since": 200.0}
    book.event("health", OutboxEvent(1, 300.0, "health.liveness", "a", deaf))
    for at, strategy in ((300.0, Strategy.RECONNECT), (900.0, Strategy.RESTART)):
        decision = book.decide("a", book.survey(at), at)
        assert (decision.act, decision.strategy) == (True, strategy)
        book.order("a", decision, at)
        told(book, 20, at + 1, "a", "open", "closing")
        told(book, 21, at + 2, "a", "closing", "connecting", "deaf")
        told(book, 22, at + 3, "a", "connecting", "open")
        book.event("health", OutboxEvent(2, at + 600, "health.liveness", "a", deaf))
    # two of its five siblings fail within a minute of the restart, as they did not after the reconnection
    assert not any(step.harmful for step in told(book, 30, 910.0, "b", "open", "waiting", "connection_lost"))
    steps = told(book, 31, 920.0, "c", "open", "waiting", "connection_lost")
    (blamed,) = [step for step in steps if step.harmful]
    assert blamed.session == "a"
    assert [note.type for note in blamed.notes] == [EventType.RECOVERY_ESCALATED]
    after = book.cases["a"].episode
    assert (after.strategy, after.escalated) == (Strategy.SLOW_LANE, True)
    late = book.decide("a", book.survey(3000.0), 3000.0)
    assert (late.act, late.rule) == (False, Rule.HELD)
    assert book.decide("a", book.survey(920.0 + HOUR_S + 1), 920.0 + HOUR_S + 1).act


def test_a_session_whose_order_nobody_takes_is_asked_again_and_pays_nothing() -> None:
    book = Book()
    told(book, 1, 100.0, "a", "connecting", "open")
    book.event("health", OutboxEvent(1, 300.0, "health.liveness", "a", {"liveness": "deaf", "since": 200.0}))
    for at in (300.0, 340.0, 380.0):
        if at > 300.0:
            soon = book.decide("a", book.survey(at - 20), at - 20)
            assert (soon.act, soon.rule) == (False, Rule.REFUSED)
        decision = book.decide("a", book.survey(at), at)
        assert (decision.act, decision.strategy) == (True, Strategy.RECONNECT)
        book.order("a", decision, at)
        book.refused("a", at + 1)
    assert book.deeds["a"] == ()


def test_what_health_said_of_an_earlier_state_is_not_heeded() -> None:
    book = Book()
    told(book, 1, 100.0, "a", "connecting", "open")
    told(book, 2, 350.0, "a", "open", "stopped", "operator_stop")
    told(book, 3, 360.0, "a", "stopped", "connecting")
    told(book, 4, 370.0, "a", "connecting", "open")
    assert book.event("health", OutboxEvent(1, 300.0, "health.liveness", "a", {"liveness": "deaf", "since": 1.0})) == ()


def test_an_outage_is_no_reason_to_call_somebody_for_each_session() -> None:
    book = Book()
    told(book, 1, 100.0, "a", "connecting", "open")
    told(book, 2, 200.0, "a", "open", "waiting", "network_unreachable")
    for n in range(8):
        told(book, 3 + 2 * n, 210.0 + 10 * n, "a", "waiting", "connecting")
        told(book, 4 + 2 * n, 211.0 + 10 * n, "a", "connecting", "waiting", "network_unreachable")
    decision = book.decide("a", book.survey(300.0), 300.0)
    assert (decision.act, decision.strategy) == (True, Strategy.SLOW_LANE)
    step = book.order("a", decision, 300.0)
    assert step.notes == ()
    assert book.cases["a"].episode.pending_at is None
    assert not book.decide("a", book.survey(301.0), 301.0).act


def broken(sessions: str, seq: int, at: float, cause: str = "open_deadline") -> Book:
    """Twenty sessions of which some fail again and again."""
    book = Book(limits=LIMITS)
    for n, session in enumerate("abcdefghijklmnopqrst"):
        told(book, n, 100.0, session, "connecting", "open")
    for session in sessions:
        told(book, seq, at, session, "open", "waiting", cause)
    return book


def test_sessions_that_stay_broken_keep_nobody_from_being_helped() -> None:
    book, now, orders = broken("abcd", 50, 1000.0), 1000.0, []
    for look in range(400):
        now = 1000.0 + 20.0 * look
        for session in "abcd":
            told(book, 100 + 2 * look, now, session, "waiting", "connecting")
            told(book, 101 + 2 * look, now + 1, session, "connecting", "waiting", "open_deadline")
        if look == 100:
            deaf = {"liveness": "deaf", "since": now - 60}
            book.event("health", OutboxEvent(1, now, "health.liveness", "m", deaf))
        for session in list(book.cases):
            if (decision := book.decide(session, book.survey(now + 2), now + 2)).act:
                book.order(session, decision, now + 2)
                orders.append((session, decision.strategy))
    assert {book.cases[id].episode.strategy for id in "abcd"} == {Strategy.SLOW_LANE}
    assert ("m", Strategy.RECONNECT) in orders


def test_what_is_under_way_is_so_for_a_time_and_not_while_paused() -> None:
    book = broken("abcd", 50, 1000.0)
    for session in "abcd":
        book.cases[session] = replace(
            book.cases[session], episode=ordered(book.cases[session].episode, Strategy.RESTART, 1100.0)
        )
        book.did(session, Deed(1100.0, Strategy.RESTART))
    assert book.survey(1110.0).under_way == frozenset("abcd")
    assert book.around("a", book.survey(1110.0), 1110.0).under_way == 3
    assert book.survey(1110.0, {"a": math.inf, "b": 1105.0}).under_way == frozenset("bcd")
    assert book.survey(1100.0 + LIMITS.unanswered_s).under_way == frozenset(), "orders that nobody got"
    for session in "abcd":  # they have begun, and no connection opens
        told(book, 60, 1101.0, session, "waiting", "connecting")
    assert book.survey(1100.0 + CROWD_S - 1).under_way == frozenset("abcd")
    assert book.survey(1100.0 + CROWD_S).under_way == frozenset()


def test_the_trouble_of_those_in_the_slow_lane_is_their_own_after_a_time() -> None:
    book = broken("abcdefg", 50, 1000.0, "service_unavailable")
    for session in "abcdefg":
        slow = climbed(book.cases[session].episode, Strategy.SLOW_LANE, 2000.0)
        book.cases[session] = replace(book.cases[session], episode=slow)
    assert book.survey(2000.0 + LIMITS.shared_s - 1).troubled == {"shard-0": 7}
    assert book.survey(2000.0 + LIMITS.shared_s - 1, {"a": math.inf}).troubled == {"shard-0": 6}
    assert book.survey(2000.0 + LIMITS.shared_s).troubled == {}


def test_a_trouble_is_put_down_to_a_process_once_it_lasts() -> None:
    """When a process dies all its sessions are in trouble, for a moment."""
    book = broken("abcdefg", 50, 1000.0, "connector_lost")
    told(book, 60, 1030.0, "h", "open", "waiting", "connection_lost")
    soon, later = (book.around("a", book.survey(at), at) for at in (1059.0, 1061.0))
    assert (soon.troubled, soon.process_troubled, soon.of_process) == (8, 0, False)
    assert (later.troubled, later.process_troubled, later.of_process) == (8, 7, True)


def test_what_health_says_holds_though_the_clock_was_set_back() -> None:
    book = Book()
    told(book, 1, 5000.0, "a", "connecting", "open")
    deaf = {"liveness": "deaf", "since": 3100.0, "openedAt": 5000.0}
    (step,) = book.event("health", OutboxEvent(1, 3200.0, "health.liveness", "a", deaf))
    assert step.after is not None
    assert step.after.episode.doubt == "deaf"
    told(book, 2, 3300.0, "a", "open", "closing")
    told(book, 3, 3301.0, "a", "closing", "connecting", "deaf")
    told(book, 4, 3302.0, "a", "connecting", "open")
    assert (book.known["a"].at, book.known["a"].opened_at) == (3302.0, 3302.0)
    late = book.event("health", OutboxEvent(2, 3300.5, "health.liveness", "a", deaf))
    assert late == (), "of the connection before"


def test_the_shard_that_a_session_has_left_says_nothing_new_of_it() -> None:
    book = Book()
    told(book, 1, 500.0, "a", "connecting", "open")
    gone = {"state": "stopped", "previous": "open"}
    book.event("shard-1", OutboxEvent(1, 400.0, "session.state", "a", gone))
    assert (book.known["a"].shard, book.known["a"].state) == ("shard-0", State.OPEN)
