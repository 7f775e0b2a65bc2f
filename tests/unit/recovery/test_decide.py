"""Decisions: what is done about which session, and what is not."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.recovery import harm
from actors.recovery.budgets import HOUR_S, Budgets, Deed, Room, room, room_for_logins
from actors.recovery.decide import Around, Decision, Rule, decide
from actors.recovery.episodes import Episode, fold, judged, ordered
from actors.recovery.learning import LEAST_HEALED, LEAST_TRIALS, MOST_DOUBLINGS, Learnt, Trials, doublings, first_of
from actors.recovery.permits import BARRED
from actors.recovery.strategies import Strategy, ladder
from actors.session.causes import Cause
from actors.session.change import Change
from actors.session.vocabulary import State

NOW = 1_700_000_000.0
RECONNECT, RESTART, FAILOVER, SLOW = Strategy.RECONNECT, Strategy.RESTART, Strategy.FAILOVER, Strategy.SLOW_LANE
ALONE = Around(sessions=20, troubled=1, siblings=9)


def deaf(at: float = NOW) -> Episode:
    episode, _ = judged(None, "deaf", since=at - 300, at=at, opened_at=at - 900)
    assert episode is not None
    return episode


def done(episode: Episode, decision: Decision, at: float, *, opens: bool = True) -> Episode:
    """What was decided is ordered and done: the connection is closed and another one opens."""
    assert decision.act
    after: Episode | None = ordered(episode, decision.strategy, at)
    story = [(State.OPEN, State.CLOSING), (State.CLOSING, State.CONNECTING), (State.CONNECTING, State.OPEN)]
    for previous, state in story if opens else story[:2]:
        after, _ = fold(after, Change(at + 1, state, previous))
    assert after is not None
    return after


def test_what_stays_deaf_climbs_to_the_slow_lane_and_is_never_given_up() -> None:
    episode, now, seen = deaf(), NOW, []
    deeds: tuple[Deed, ...] = ()
    for _ in range(6):
        decision = decide(episode, replace(ALONE, deeds=deeds), now)
        seen.append((decision.rule, decision.strategy))
        if decision.strategy is SLOW and episode.strategy is not SLOW:
            episode = replace(episode, strategy=SLOW, rung_at=now)
            now = decide(episode, replace(ALONE, deeds=deeds), now).until or 0.0
            continue
        deeds = (*deeds, Deed(now, decision.strategy))
        episode = done(episode, decision, now)
        assert decide(episode, replace(ALONE, deeds=deeds), now + 2).rule is Rule.UNPROVEN
        again, _ = judged(episode, "deaf", now + 1, now + 600, now + 1)
        assert again is not None
        episode, now = again, now + 600
        if episode.strategy is SLOW:
            waits = decide(episode, replace(ALONE, deeds=deeds), now)
            assert (waits.rule, waits.act) == (Rule.SLOW, False)
            now = waits.until or 0.0
    assert seen == [
        (Rule.FIRST, RECONNECT),
        (Rule.CLIMB, RESTART),
        (Rule.CLIMB, FAILOVER),
        (Rule.CLIMB, SLOW),
        (Rule.SLOW, SLOW),
        (Rule.SLOW, SLOW),
    ]


def closed(cause: Cause, tries: int, *, lasting: float) -> Episode:
    episode, _ = fold(None, Change(NOW, State.WAITING, State.OPEN, cause))
    for n in range(tries):
        at = NOW + lasting * (n + 1) / (tries + 1)
        episode, _ = fold(episode, Change(at, State.CONNECTING, State.WAITING))
        episode, _ = fold(episode, Change(at + 0.1, State.WAITING, State.CONNECTING, cause))
    assert episode is not None
    return episode


@pytest.mark.parametrize(
    ("cause", "tries", "lasting", "strategy"),
    [
        (Cause.CONNECTION_LOST, 5, 100.0, None),
        (Cause.CONNECTION_LOST, 6, 40.0, None),
        (Cause.CONNECTION_LOST, 6, 61.0, RESTART),
        (Cause.OPEN_DEADLINE, 9, 300.0, RESTART),
        (Cause.NETWORK_UNREACHABLE, 6, 100.0, SLOW),
        (Cause.SERVICE_UNAVAILABLE, 6, 100.0, SLOW),
        (Cause.TOKEN_INVALID, 2, 100.0, None),
    ],
)
def test_a_closed_session_tries_by_itself_before_anything_is_done(
    cause: Cause, tries: int, lasting: float, strategy: Strategy | None
) -> None:
    decision = decide(closed(cause, tries, lasting=lasting), ALONE, NOW + lasting)
    assert decision.act == (strategy is not None)
    assert decision.strategy is (strategy or RECONNECT)


@pytest.mark.parametrize("cause", [c for c in Cause if c.disposition.is_verdict])
def test_of_a_verdict_nothing_is_ever_tried(cause: Cause) -> None:
    episode, _ = fold(None, Change(NOW, State.BLOCKED, State.OPEN, cause, until=NOW + 60))
    if episode is None:
        return  # it ended at once
    for at in (NOW, NOW + 61, NOW + 1e6):
        decision = decide(episode, ALONE, at)
        assert (decision.rule, decision.act) == (Rule.STANDS, False)


def test_what_speaks_against_a_deed() -> None:
    now, ready = NOW, Decision(Rule.FIRST, "", RECONNECT)
    cases = [
        (replace(ALONE, paused_until=math.inf), Rule.PAUSED, None),
        (replace(ALONE, paused_until=now + 60), Rule.PAUSED, now + 60),
        (replace(ALONE, held_until=now + 50), Rule.HELD, now + 50),
        (replace(ALONE, under_way=4), Rule.CROWD, None),
        (replace(ALONE, troubled=7, under_way=1), Rule.CROWD, None),
        (replace(ALONE, deeds=(Deed(now - 60, RECONNECT),) * 6), Rule.BUDGET, now - 60 + HOUR_S),
        (replace(ALONE, process_deeds=(Deed(now - 60, FAILOVER, 64),)), Rule.BUDGET, now - 60 + HOUR_S),
    ]
    assert decide(deaf(), ALONE, now).rule is ready.rule
    for around, rule, until in cases:
        decision = decide(deaf(), around, now)
        assert (decision.rule, decision.until, decision.act) == (rule, until, False)


def test_of_many_in_trouble_one_probes() -> None:
    many = replace(ALONE, troubled=7, process_troubled=3)
    ill = replace(deaf(), rung_deeds=1)
    climbs = closed(Cause.CONNECTION_LOST, 8, lasting=100.0)
    now = NOW + 101
    for episode in (ill, climbs):
        first = decide(episode, many, now)
        assert (first.act, first.strategy) == (True, RESTART)
        waits = decide(episode, replace(many, probes=(Deed(now - 900, RESTART), Deed(now - 100, FAILOVER))), now)
        assert (waits.rule, waits.until, waits.act) == (Rule.SHARED, now + 500, False)
        assert decide(episode, replace(many, probes=(Deed(now - 600, FAILOVER), Deed(now + 5, RESTART))), now).act
        assert decide(episode, replace(many, under_way=1), now).rule is Rule.CROWD
    # a new connection costs nobody anything, and is tried by each, one after the other
    assert decide(deaf(), replace(many, probes=(Deed(NOW, RESTART),)), NOW).act


def test_a_failover_that_did_not_help_one_is_not_given_to_another_for_an_hour() -> None:
    restarted = replace(deaf(), strategy=RESTART, rung_deeds=1)
    many = replace(ALONE, troubled=7, probes=(Deed(NOW - 700, FAILOVER),))
    waits = decide(restarted, many, NOW)
    assert (waits.rule, waits.until) == (Rule.SHARED, NOW + 1800), "before, it goes to the slow lane"
    assert decide(restarted, replace(many, probes=(Deed(NOW - 700, RESTART),)), NOW).strategy is FAILOVER
    # unless its own process is to blame
    assert decide(restarted, replace(many, process_troubled=4, process_sessions=10), NOW).strategy is FAILOVER


def test_a_trouble_of_one_process_has_that_process_replaced_once() -> None:
    many, ill = replace(ALONE, troubled=7, process_troubled=4, process_sessions=10), replace(deaf(), rung_deeds=1)
    assert decide(ill, many, NOW).strategy is FAILOVER
    assert decide(ill, replace(many, sessions=500), NOW).strategy is FAILOVER
    for other in (
        replace(many, process_troubled=3),
        replace(many, process_sessions=14),
        replace(many, process_paused=True),
        replace(many, budgets=Budgets({RECONNECT: 6, RESTART: 3, FAILOVER: 0})),
        replace(many, process_deeds=(Deed(NOW - 1000, FAILOVER, 10),)),
    ):
        assert decide(ill, other, NOW).strategy is RESTART
    restarted = replace(deaf(), strategy=RESTART, rung_deeds=1)
    waits = decide(restarted, replace(many, process_deeds=(Deed(NOW - 1000, FAILOVER, 10),)), NOW)
    assert (waits.rule, waits.facts["wanted"], waits.act) == (Rule.SHARED, "failover", False)


@pytest.mark.parametrize(
    ("around", "rule", "patience"),
    [
        (replace(ALONE, troubled=7, probes=(Deed(NOW + 1750, RESTART),)), Rule.SHARED, 1800),
        (replace(ALONE, process_paused=True), Rule.PAUSED, 1800),
        (replace(ALONE, process_deeds=(Deed(NOW + 1700, RECONNECT, 64),)), Rule.BUDGET, 3660),
    ],
)
def test_an_open_session_that_is_barred_for_long_goes_to_the_slow_lane(
    around: Around, rule: Rule, patience: float
) -> None:
    episode = replace(deaf(), strategy=RESTART, rung_deeds=1)
    waits = decide(episode, around, NOW + 1790)
    assert (waits.rule, waits.act) == (rule, False)
    assert waits.until is not None
    assert waits.until <= NOW + patience
    later = replace(around, probes=around.probes and (Deed(NOW + patience, FAILOVER),))
    later = replace(later, process_deeds=around.process_deeds * 2)
    goes = decide(episode, later, NOW + patience)
    assert (goes.rule, goes.strategy, goes.act, goes.facts[BARRED]) == (Rule.CLIMB, SLOW, True, str(rule))
    # a closed one tries by itself: it has time
    tries = replace(closed(Cause.CONNECTION_LOST, 8, lasting=100.0), strategy=RESTART)
    assert decide(tries, later, NOW + patience).rule is rule


def test_a_host_that_always_refuses_leads_to_the_slow_lane() -> None:
    episode = replace(deaf(), strategy=RESTART, refused_at=NOW + 1795)
    assert decide(episode, ALONE, NOW + 1796).rule is Rule.REFUSED
    goes = decide(episode, ALONE, NOW + 1801)
    assert (goes.strategy, goes.facts[BARRED]) == (SLOW, "refused")


@given(st.sampled_from([c for c in Cause if not c.disposition.is_verdict]), st.tuples(*[st.integers(0, 1)] * 3))
def test_there_is_always_a_next_rung_for_who_is_open_and_in_doubt(cause: Cause, allowed: tuple[int, int, int]) -> None:
    """Whatever was wrong before, and whatever the budgets allow."""
    around = replace(ALONE, budgets=Budgets(dict(zip((RECONNECT, RESTART, FAILOVER), allowed, strict=True))))
    for rung in (RECONNECT, RESTART, FAILOVER):
        for attempts in (0, 1):
            episode = replace(deaf(), last_cause=cause, doubt="unproven", strategy=rung, attempts=attempts)
            decision = decide(episode, around, NOW)
            assert decision.act
            assert decision.strategy is SLOW or around.budgets.deeds[decision.strategy] > 0
            assert rung.order <= decision.strategy.order <= SLOW.order


def test_a_process_is_not_replaced_twice_in_a_short_time() -> None:
    episode = replace(deaf(), strategy=RESTART, rung_deeds=1)
    assert decide(episode, ALONE, NOW).strategy is FAILOVER
    assert decide(episode, ALONE, NOW).facts["cost"] == 10
    others = (Deed(NOW - 500, FAILOVER, 10),)
    decision = decide(episode, replace(ALONE, process_deeds=others), NOW)
    assert (decision.rule, decision.until) == (Rule.CROWD, NOW + 100)


def test_a_half_open_connection_is_its_connectors_first() -> None:
    episode, _ = judged(None, "half_open", since=NOW - 20, at=NOW, opened_at=NOW - 900)
    assert decide(episode, ALONE, NOW + 29).rule is Rule.GRACE
    assert decide(episode, ALONE, NOW + 31).act


def test_an_order_that_is_lost_in_the_slow_lane_is_given_again_after_its_time() -> None:
    episode = ordered(replace(deaf(), strategy=SLOW, rung_at=NOW - 9000), SLOW, NOW)
    lost = replace(ALONE, deeds=(Deed(NOW, SLOW),))
    waits = decide(episode, lost, NOW + 60)
    assert (waits.rule, waits.act) == (Rule.SLOW, False)
    assert decide(episode, lost, waits.until or 0.0).act


def test_an_order_of_which_nothing_is_seen_is_followed_by_a_stronger_one() -> None:
    episode = ordered(deaf(), RECONNECT, NOW)
    assert decide(episode, ALONE, NOW + 44).rule is Rule.UNDER_WAY
    decision = decide(episode, ALONE, NOW + 46)
    assert (decision.rule, decision.strategy, decision.act) == (Rule.CLIMB, RESTART, True)


def test_a_closed_session_is_judged_by_its_tries_also_after_an_order() -> None:
    episode = ordered(closed(Cause.CONNECTION_LOST, 8, lasting=100.0), RESTART, NOW + 101)
    decision = decide(episode, ALONE, NOW + 150)
    assert (decision.rule, decision.strategy) == (Rule.RECONNECTS, RESTART)


def test_no_proof_in_time_climbs() -> None:
    episode, _ = fold(None, Change(NOW, State.WAITING, State.OPEN, Cause.CONNECTION_CLOSED))
    episode, _ = fold(episode, Change(NOW + 1, State.CONNECTING, State.WAITING))
    episode, _ = fold(episode, Change(NOW + 2, State.OPEN, State.CONNECTING))
    assert decide(episode, ALONE, NOW + 60).rule is Rule.UNPROVEN
    assert episode is not None
    doubted = replace(episode, doubt="unproven", doubt_at=NOW + 92)
    assert decide(doubted, ALONE, NOW + 92).strategy is RESTART


# learning


def learnt(**trials: tuple[int, int]) -> Learnt:
    return Learnt({(Cause.DEAF, Strategy(name)): Trials(*counts) for name, counts in trials.items()})


def test_a_strategy_that_never_helps_is_passed_over_for_one_that_does() -> None:
    wise = learnt(reconnect=(0, 30), restart=(20, 1))
    decision = decide(deaf(), replace(ALONE, learnt=wise), NOW)
    assert (decision.strategy, decision.facts["learnt"]) == (RESTART, {"helped": 20, "failed": 1})
    assert decide(deaf(), replace(ALONE, learnt=learnt(reconnect=(0, 30))), NOW).strategy is RECONNECT
    assert decide(deaf(), replace(ALONE, learnt=learnt(reconnect=(0, 7), restart=(20, 1))), NOW).strategy is RECONNECT


counts = st.tuples(st.integers(0, 500), st.integers(0, 500))


@given(st.fixed_dictionaries(dict.fromkeys(("reconnect", "restart", "failover", "slow_lane"), counts)))
def test_nothing_learnt_starts_with_what_costs_others(trials: dict[str, tuple[int, int]]) -> None:
    first = first_of(learnt(**trials), Cause.DEAF, ladder(Cause.DEAF))
    assert first in {RECONNECT, RESTART}
    if first is RESTART:
        assert sum(trials["reconnect"]) >= LEAST_TRIALS


@given(counts)
def test_bounds_hold_the_share_and_grow_with_it(trials: tuple[int, int]) -> None:
    helped, failed = trials
    low, high = Trials(helped, failed).bounds
    assert 0 <= low <= high <= 1
    if helped + failed:
        assert low <= helped / (helped + failed) + 1e-9
        assert high >= helped / (helped + failed) - 1e-9
    better_low, better_high = Trials(helped + 1, failed).bounds
    assert better_low >= low - 1e-9
    assert better_high >= high - 1e-9 or helped + failed == 0


@given(st.integers(0, 10**6), st.integers(0, 10**7))
def test_a_back_off_begins_later_by_a_bounded_step_and_never_earlier(healed: int, attempts: int) -> None:
    by = doublings(Learnt(attempts={Cause.CONNECTION_LOST: (healed, attempts)}), Cause.CONNECTION_LOST)
    assert 0 <= by <= MOST_DOUBLINGS
    assert healed >= LEAST_HEALED or by == 0
    for other in (Cause.LOCKED, Cause.TOKEN_INVALID, Cause.RESTART_REQUIRED):
        assert doublings(Learnt(attempts={other: (healed, attempts)}), other) == 0


# budgets and harm


@given(st.lists(st.floats(0, 10_000), max_size=30), st.integers(0, 8), st.integers(1, 40))
def test_there_is_room_again_when_the_budget_says_so(times: list[float], allowed: int, price: int) -> None:
    deeds = [Deed(at, RESTART) for at in times]
    budgets = Budgets({RESTART: allowed}, logins=12)

    def left(at: float) -> list[Room]:
        return [room(budgets, deeds, RESTART, at), room_for_logins(budgets, deeds, price, at)]

    later = 10_000.0
    for n, now in enumerate(left(later)):
        if now.free_at is None:
            assert now.used < now.allowed
        elif now.allowed > 0:
            assert now.free_at > later
            assert left(now.free_at + 0.001)[n].free_at is None


def test_failures_of_siblings_shortly_after_a_deed_are_put_down_to_it() -> None:
    watch = harm.Watch("a", NOW, frozenset("bcdefghijk"))
    watch = harm.failed(harm.failed(watch, "b", NOW + 10), "b", NOW + 20)
    assert not watch.harmful
    assert not harm.failed(watch, "z", NOW + 20).harmful
    assert not harm.failed(watch, "c", NOW + 61).harmful
    assert not harm.failed(watch, "c", NOW - 1).harmful
    assert harm.failed(watch, "c", NOW + 20).harmful
    assert not harm.Watch("a", NOW, frozenset("b"), frozenset("b")).harmful


def test_no_process_is_replaced_under_a_session_whose_recovery_is_paused() -> None:
    restarted = replace(deaf(), strategy=RESTART, rung_deeds=1)
    assert decide(restarted, ALONE, NOW).strategy is FAILOVER
    decision = decide(restarted, replace(ALONE, process_paused=True), NOW)
    assert (decision.rule, decision.act) == (Rule.PAUSED, False)
    assert decide(deaf(), replace(ALONE, process_paused=True), NOW).act  # what touches it alone may be done
