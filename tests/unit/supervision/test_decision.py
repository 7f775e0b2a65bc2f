"""The restart decision, case by case."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.supervision import clock, decision, stopping
from actors.supervision.spec import Backoff, Intensity, OnIntensity, Policy, Restart, Strategy
from actors.supervision.state import Escalate, Exit, Finished, Kill, Phase, State
from tests.unit.supervision.kit import DONE, KILLED, POLICY, RNG, asked, exited, running, settle, spec, started


def test_children_start_in_order_and_wait_for_each_other() -> None:
    state = decision.add(State(), [(spec("a"), None), (spec("b"), None)], 0.0)
    state, actions = clock.tick(state, 0.0, POLICY)
    assert started(actions) == ["a"]
    state, actions = clock.tick(state, 0.1, POLICY)
    assert started(actions) == []
    state = decision.up(state, "a", 1, 0.2)
    state, actions = clock.tick(state, 0.2, POLICY)
    assert started(actions) == ["b"]


def test_only_so_many_start_at_a_time() -> None:
    policy = Policy(pace=0.0, starting=2)
    state = decision.add(State(), [(spec(id, wait_ready=False), None) for id in "abc"], 0.0)
    for _ in range(3):
        state, _actions = clock.tick(state, 0.0, policy)
    assert [child.phase for child in state.children.values()] == [Phase.STARTING, Phase.STARTING, Phase.WAITING]
    assert clock.next_look(state, 0.0, policy) == policy.tick  # its news wakes the supervisor
    state = decision.up(state, "a", state.children["a"].incarnation, 0.1)
    _, actions = clock.tick(state, 0.1, policy)
    assert started(actions) == ["c"]


def test_starts_keep_their_pace() -> None:
    policy = Policy(pace=0.02)
    state = decision.add(State(), [(spec(f"c{i}", wait_ready=False), None) for i in range(3)], 0.0)
    times: list[float] = []
    now = 0.0
    while len(times) < 3:
        state, actions = clock.tick(state, now, policy)
        times += [now for _ in started(actions)]
        now += clock.next_look(state, now, policy)
    assert all(later - earlier >= 0.02 for earlier, later in itertools.pairwise(times))


def test_a_killed_child_is_started_again_at_once() -> None:
    state, _ = exited(running(spec("a")), "a", KILLED, 1.0)
    state, actions = clock.tick(state, 1.0, POLICY)
    assert started(actions) == ["a"]
    assert state.children["a"].restarts == 1
    assert state.children["a"].last_exit == KILLED


def test_the_same_death_reported_twice_counts_once() -> None:
    state, _ = exited(running(spec("a")), "a", KILLED, 1.0)
    again, actions = exited(state, "a", KILLED, 1.0)
    assert again == state
    assert actions == ()


@pytest.mark.parametrize(
    ("restart", "exit_", "again"),
    [
        (Restart.PERMANENT, DONE, True),
        (Restart.PERMANENT, KILLED, True),
        (Restart.TRANSIENT, DONE, False),
        (Restart.TRANSIENT, KILLED, True),
        (Restart.TEMPORARY, DONE, False),
        (Restart.TEMPORARY, KILLED, False),
    ],
)
def test_restart_types(restart: Restart, exit_: Exit, again: bool) -> None:
    state, _ = exited(running(spec("a", restart=restart)), "a", exit_, 1.0)
    assert ("a" in state.children) is (restart is not Restart.TEMPORARY)  # OTP forgets a temporary child
    assert ("a" in state.children and state.children["a"].phase is Phase.WAITING) is again


@pytest.mark.parametrize(
    ("strategy", "along"),
    [(Strategy.ONE_FOR_ONE, []), (Strategy.ONE_FOR_ALL, ["c", "a"]), (Strategy.REST_FOR_ONE, ["c"])],
)
def test_strategies_take_siblings_along_in_reverse_order(strategy: Strategy, along: list[str]) -> None:
    policy = Policy(strategy=strategy, pace=0.0)
    state, actions = exited(running(spec("a"), spec("b"), spec("c"), policy=policy), "b", KILLED, 1.0, policy)
    gone = []
    while actions:  # one after the other: each may need those that were started before it
        [id] = asked(actions)
        assert started(clock.tick(state, 1.0, policy)[1]) == []  # not before all of them are gone
        gone.append(id)
        state, actions = exited(state, id, DONE, 1.1, policy)
    assert gone == along
    order = []
    for _ in range(3):
        state, actions = clock.tick(state, 1.2, policy)
        for id in started(actions):
            order.append(id)
            state = decision.up(state, id, state.children[id].incarnation, 1.2)
    assert order == sorted({"b", *along})


def test_too_many_restarts_escalate() -> None:
    policy = Policy(intensity=Intensity(2, 10.0), backoff=Backoff(0.0, 0.0), pace=0.0)
    state = running(spec("a"), policy=policy)
    for now in (1.0, 2.0):
        state, actions = exited(state, "a", KILLED, now, policy)
        assert actions == ()
        state, actions = clock.tick(state, now, policy)
        state = decision.up(state, "a", state.children["a"].incarnation, now)
    _, actions = exited(state, "a", KILLED, 3.0, policy)
    assert isinstance(actions[0], Escalate)


def test_a_crashing_session_is_parked_alone_and_tried_again() -> None:
    parks = spec("s", wait_ready=False, on_intensity=OnIntensity.PARK, intensity=Intensity(1, 60.0))
    policy = Policy(intensity=Intensity(0, 10.0), backoff=Backoff(0.0, 0.0), pace=0.0, park_retry=300.0)
    state = running(parks, spec("t", wait_ready=False), policy=policy)
    for now in (1.0, 2.0):
        state, actions = exited(state, "s", KILLED, now, policy)
        assert not any(isinstance(action, Escalate) for action in actions)
        state, _ = clock.tick(state, now, policy)
    assert state.children["s"].phase is Phase.PARKED
    assert state.children["t"].phase is Phase.RUNNING
    state = decision.beat(state, "t", state.children["t"].incarnation, 301.0)
    state, actions = clock.tick(state, 301.0, policy)
    assert started(actions) == []
    state = decision.beat(state, "t", state.children["t"].incarnation, 302.0)
    state, actions = clock.tick(state, 302.0, policy)
    assert started(actions) == ["s"]


def test_back_off_doubles_and_is_reset_by_a_quiet_time() -> None:
    policy = Policy(intensity=Intensity(100, 1.0), backoff=Backoff(1.0, 8.0, reset_after=30.0), pace=0.0, tick=1e9)
    state = running(spec("a"), policy=policy)
    delays = []
    now = 1.0
    for _ in range(6):
        state, _ = exited(state, "a", KILLED, now, policy)
        delays.append(state.children["a"].due - now)
        now = state.children["a"].due
        state, _ = clock.tick(state, now, policy)
        state = decision.up(state, "a", state.children["a"].incarnation, now)
        now += 1.0
    assert delays[0] == 0.0
    for delay, doubled in zip(delays[1:], (1, 2, 4, 8, 8), strict=True):
        assert 0.8 * doubled <= delay <= 1.2 * doubled
    state, _ = exited(state, "a", KILLED, now + 30.0, policy)
    assert state.children["a"].due == now + 30.0


def test_a_silent_child_is_killed_and_its_exit_says_hung() -> None:
    state = running(spec("a", heartbeat_timeout=5.0))
    state, actions = clock.tick(state, 4.9, Policy(late_after=100))
    assert actions == ()
    state, actions = clock.tick(state, 5.1, Policy(late_after=100))
    assert actions == (Kill("a", "hung"),)
    state, _ = exited(state, "a", KILLED, 5.2)
    last = state.children["a"].last_exit
    assert last is not None
    assert last.how == "hung"


def test_a_child_that_never_comes_up_is_killed() -> None:
    state = decision.add(State(), [(spec("a", start_timeout=3.0), None)], 0.0)
    state, _ = clock.tick(state, 0.0, POLICY)
    _, actions = clock.tick(state, 3.1, Policy(late_after=100))
    assert actions == (Kill("a", "start_timeout"),)


def test_a_machine_that_paused_kills_nobody() -> None:
    state = running(*(spec(f"c{i}", heartbeat_timeout=5.0, wait_ready=False) for i in range(4)))
    state, _ = clock.tick(state, 0.5, POLICY)
    state, actions = clock.tick(state, 60.0, POLICY)
    assert actions == ()
    state, actions = clock.tick(state, 60.5, POLICY)
    assert actions == ()


def test_at_most_two_are_killed_a_tick() -> None:
    state = running(*(spec(f"c{i}", heartbeat_timeout=5.0, wait_ready=False) for i in range(4)))
    _, actions = clock.tick(state, 6.0, Policy(late_after=100))
    assert len(actions) == 2


def test_a_late_message_of_a_dead_child_is_harmless() -> None:
    state, _ = exited(running(spec("a", heartbeat_timeout=5.0)), "a", KILLED, 1.0)
    state, _ = clock.tick(state, 1.0, POLICY)
    assert decision.beat(state, "a", 1, 2.0) == state
    assert decision.up(state, "a", 1, 2.0) == state


def test_shutdown_goes_backwards_and_restarts_nothing() -> None:
    state = running(spec("a"), spec("b"), spec("s1", wait_ready=False), spec("s2", wait_ready=False))
    state, actions = stopping.shutdown(state, 1.0)
    assert asked(actions) == ["s2", "s1"]
    state, actions = exited(state, "s1", DONE, 1.1)
    assert actions == ()
    state, actions = exited(state, "s2", KILLED, 1.2)
    assert asked(actions) == ["b"]
    state, actions = clock.tick(state, 1.2, POLICY)
    assert actions == ()
    state, actions = exited(state, "b", DONE, 1.3)
    assert asked(actions) == ["a"]
    state, actions = exited(state, "a", KILLED, 1.4)
    assert actions == (Finished(),)


def test_who_does_not_stop_in_time_is_killed() -> None:
    state, _ = stopping.shutdown(running(spec("a", stop_timeout=2.0)), 1.0)
    state, actions = clock.tick(state, 2.9, Policy(late_after=100))
    assert actions == ()
    _, actions = clock.tick(state, 3.1, Policy(late_after=100))
    assert actions == (Kill("a", "stop_timeout"),)


def test_a_removed_child_that_is_wanted_again_comes_back() -> None:
    state, actions = decision.remove(running(spec("a")), "a", 1.0)
    assert asked(actions) == ["a"]
    state = decision.add(state, [(spec("a"), "new")], 1.1)
    state, _ = exited(state, "a", DONE, 1.2)
    state, actions = clock.tick(state, 1.2, POLICY)
    assert started(actions) == ["a"]
    assert state.children["a"].args == "new"


ALL = Policy(strategy=Strategy.ONE_FOR_ALL, pace=0.0)


def test_a_temporary_sibling_taken_along_is_ended_and_not_started_again() -> None:
    state = running(spec("a"), spec("t", restart=Restart.TEMPORARY), policy=ALL)
    state, actions = exited(state, "a", KILLED, 1.0, ALL)
    assert asked(actions) == ["t"]
    state, _ = exited(state, "t", DONE, 1.1, ALL)
    assert list(settle(state, 1.2, ALL).children) == ["a"]


@pytest.mark.parametrize(
    ("strategy", "first", "again"),
    [
        (Strategy.ONE_FOR_ALL, "t", True),
        (Strategy.REST_FOR_ONE, "t", False),
        (Strategy.REST_FOR_ONE, "a", True),
        (Strategy.ONE_FOR_ONE, "a", False),
    ],
)
def test_a_transient_sibling_that_had_ended_normally_is_started_by_the_strategy(
    strategy: Strategy, first: str, again: bool
) -> None:
    policy = Policy(strategy=strategy, pace=0.0)
    specs = [spec("a"), spec("t", restart=Restart.TRANSIENT)]
    state = running(*(specs if first == "a" else reversed(specs)), policy=policy)
    state, _ = exited(state, "t", DONE, 1.0, policy)
    assert state.children["t"].phase is Phase.STOPPED
    state, _ = exited(state, "a", KILLED, 1.1, policy)
    assert (settle(state, 1.2, policy).children["t"].phase is Phase.RUNNING) is again


def test_siblings_that_do_not_live_keep_their_back_off_and_their_place_when_taken_along() -> None:
    policy = Policy(strategy=Strategy.ONE_FOR_ALL, backoff=Backoff(8.0, 8.0), pace=0.0)
    parks = {"on_intensity": OnIntensity.PARK, "intensity": Intensity(0, 60.0)}
    state = running(spec("a"), spec("parks", **parks), spec("waits", wait_ready=False), policy=policy)
    state, _ = exited(state, "parks", KILLED, 1.0, policy)
    for now in (1.0, 1.1):  # the first restart is at once
        state, _ = exited(state, "waits", KILLED, now, policy)
        state, _ = exited(state, "a", DONE, now, policy)
        state = settle(state, now, policy)
    due = state.children["waits"].due
    assert due > 7.0
    state, _ = exited(state, "a", KILLED, 1.3, policy)
    assert state.children["waits"].due == due
    assert state.children["parks"].phase is Phase.PARKED


def test_a_sibling_that_dies_before_its_turn_to_stop_has_not_failed() -> None:
    state = running(spec("a"), spec("b"), spec("c"), policy=ALL)
    state, actions = exited(state, "b", KILLED, 1.0, ALL)
    assert asked(actions) == ["c"]
    state, actions = exited(state, "a", Exit("signal", 11), 1.1, ALL)
    assert actions == ()
    assert (state.children["a"].restarts, state.children["a"].last_exit) == (0, Exit("signal", 11))
    assert len(state.recent) == 1
    state, _ = exited(state, "c", DONE, 1.2, ALL)
    last = state.children["c"].last_exit
    assert last is not None
    assert last.how == "sibling"
    assert {child.phase for child in settle(state, 1.3, ALL).children.values()} == {Phase.RUNNING}


def test_a_child_that_is_stopped_by_wish_delays_the_start_of_those_it_is_taken_along_with() -> None:
    state = running(spec("a"), spec("b", wait_ready=False), policy=ALL)
    state, _ = decision.restart(state, "b", 1.0)
    state, actions = exited(state, "a", KILLED, 1.1, ALL)
    assert actions == ()
    state, actions = clock.tick(state, 1.2, ALL)
    assert started(actions) == []
    state, _ = exited(state, "b", DONE, 1.3, ALL)
    assert started(clock.tick(state, 1.4, ALL)[1]) == ["a"]


def test_a_start_that_fails_counts_as_a_failure() -> None:
    policy = Policy(intensity=Intensity(2, 60.0), pace=0.0)
    state = decision.add(State(), [(spec("a"), None)], 0.0)
    outcomes: list[object] = []
    now = 0.0
    while not outcomes:
        now += 0.1
        state, actions = clock.tick(state, now, policy)
        for id in started(actions):
            state, ended = exited(state, id, Exit("not_started"), now, policy)
            outcomes += ended
    assert isinstance(outcomes[0], Escalate)
    assert state.children["a"].restarts == 3


def test_a_death_reported_late_says_nothing_about_the_next_incarnation() -> None:
    state, _ = exited(running(spec("a")), "a", KILLED, 1.0)
    state = settle(state, 1.0)
    assert decision.exited(state, "a", 1, KILLED, 1.1, POLICY, RNG) == (state, ())


def test_hung_children_are_ended_a_few_each_period_however_often_the_supervisor_looks() -> None:
    ids = [f"c{i}" for i in range(5)]
    state = running(*(spec(id, heartbeat_timeout=5.0, wait_ready=False) for id in ids))
    policy = Policy(late_after=100, pace=0.0)
    kills = []
    for look in range(8):
        now = 6.0 + look * 0.125
        state, actions = clock.tick(state, now, policy)
        for action in actions:
            if isinstance(action, Kill):
                kills.append(now)
                state, _ = exited(state, action.id, KILLED, now, policy)
    assert kills == [6.0, 6.0, 6.5, 6.5]


def test_a_beat_between_a_pause_and_the_look_that_notices_it_buys_no_time() -> None:
    state = running(spec("a", heartbeat_timeout=5.0))
    state, _ = clock.tick(state, 0.5, POLICY)
    state = decision.beat(state, "a", 1, 60.0)
    state, _ = clock.tick(state, 60.0, POLICY)
    _, actions = clock.tick(state, 65.1, Policy(late_after=100))
    assert actions == (Kill("a", "hung"),)


def test_an_exit_that_is_not_the_one_asked_for_keeps_its_own_story() -> None:
    state, _ = decision.restart(running(spec("a")), "a", 1.0)
    state, _ = exited(state, "a", Exit("signal", 11), 1.1)
    assert state.children["a"].last_exit == Exit("signal", 11)


def test_nothing_is_added_or_restarted_during_shutdown() -> None:
    state, _ = stopping.shutdown(running(spec("a"), spec("b")), 1.0)
    assert decision.add(state, [(spec("c"), None)], 1.1) == state
    assert decision.restart(state, "a", 1.1) == (state, ())
    state, actions = decision.remove(state, "a", 1.1)
    assert actions == ()  # b first
    state, actions = exited(state, "b", DONE, 1.2)
    assert asked(actions) == ["a"]
    state, actions = exited(state, "a", DONE, 1.3)
    assert (state.children, actions) == ({"b": state.children["b"]}, (Finished(),))


@given(st.integers(1, 60), st.integers(0, 2**32))
def test_restart_delays_are_bounded(failures: int, seed: int) -> None:
    delay = decision.restart_delay(failures, Backoff(0.05, 30.0), random.Random(seed))
    assert 0.0 <= delay <= 36.0
    assert (delay == 0.0) is (failures == 1)


@given(st.lists(st.floats(0, 100), max_size=50), st.integers(0, 10), st.floats(0.1, 50))
def test_the_intensity_window_counts_what_lies_in_it(gaps: list[float], restarts: int, period: float) -> None:
    recent: tuple[float, ...] = ()
    times: list[float] = []
    now = 0.0
    for gap in gaps:
        now += gap
        times.append(now)
        recent, too_many = decision.add_restart(recent, now, Intensity(restarts, period))
        assert too_many is (sum(1 for at in times if now - at <= period) > restarts)


@given(st.integers(1, 20), st.floats(0.5, 3600), st.lists(st.floats(0, 5), min_size=1, max_size=100))
def test_a_child_that_waits_until_its_end_is_bearable_never_ends_its_supervisor(
    restarts: int, period: float, lives: list[float]
) -> None:
    intensity, now = Intensity(restarts, period), 0.0
    recent: tuple[float, ...] = ()
    waited = 0
    for life in lives:
        bearable_at = decision.bearable_at(recent, intensity)
        waited += bearable_at > now + life
        now = max(now + life, bearable_at + 0.1)
        recent, too_many = decision.add_restart(recent, now, intensity)
        assert not too_many
    assert waited <= max(0, len(lives) - restarts)  # the first ones cost no time


def test_where_none_or_all_are_too_many_nobody_waits() -> None:
    assert decision.bearable_at((), Intensity(5, 10.0)) == 0.0
    assert decision.bearable_at((1.0, 2.0), Intensity(0, 10.0)) == 0.0
    assert decision.bearable_at((1.0, 2.0, 3.0), Intensity(2, 10.0)) == 12.0
