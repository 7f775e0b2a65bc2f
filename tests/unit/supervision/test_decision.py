"""The restart decision, case by case and by its invariants."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.supervision import decision
from actors.supervision.spec import Backoff, ChildSpec, Intensity, OnIntensity, Policy, Restart, Strategy
from actors.supervision.state import AskToStop, Escalate, Exit, Finished, Kill, Phase, Start, State

KILLED = Exit("signal", 9)
DONE = Exit("code", 0)
POLICY = Policy(pace=0.0)
RNG = random.Random(1)


def spec(id: str, **options: object) -> ChildSpec:
    return ChildSpec(id, "worker", **options)  # type: ignore[arg-type]  # options of any field


def running(*specs: ChildSpec, policy: Policy = POLICY, now: float = 0.0) -> State:
    state = decision.add(State(), [(s, None) for s in specs], now)
    for _ in specs:
        state, actions = decision.tick(state, now, policy)
        for action in actions:
            assert isinstance(action, Start)
            state = decision.up(state, action.id, action.incarnation, now)
    assert all(child.phase is Phase.RUNNING for child in state.children.values())
    return state


def started(actions: tuple[object, ...]) -> list[str]:
    return [action.id for action in actions if isinstance(action, Start)]


def asked(actions: tuple[object, ...]) -> list[str]:
    return [action.id for action in actions if isinstance(action, AskToStop)]


def test_children_start_in_order_and_wait_for_each_other() -> None:
    state = decision.add(State(), [(spec("a"), None), (spec("b"), None)], 0.0)
    state, actions = decision.tick(state, 0.0, POLICY)
    assert started(actions) == ["a"]
    state, actions = decision.tick(state, 0.1, POLICY)
    assert started(actions) == []
    state = decision.up(state, "a", 1, 0.2)
    state, actions = decision.tick(state, 0.2, POLICY)
    assert started(actions) == ["b"]


def test_starts_keep_their_pace() -> None:
    policy = Policy(pace=0.02)
    state = decision.add(State(), [(spec(f"c{i}", wait_ready=False), None) for i in range(3)], 0.0)
    times: list[float] = []
    now = 0.0
    while len(times) < 3:
        state, actions = decision.tick(state, now, policy)
        times += [now for _ in started(actions)]
        now += decision.next_look(state, now, policy)
    assert all(later - earlier >= 0.02 for earlier, later in itertools.pairwise(times))


def test_a_killed_child_is_started_again_at_once() -> None:
    state, _ = decision.exited(running(spec("a")), "a", KILLED, 1.0, POLICY, RNG)
    state, actions = decision.tick(state, 1.0, POLICY)
    assert started(actions) == ["a"]
    assert state.children["a"].restarts == 1
    assert state.children["a"].last_exit == KILLED


def test_the_same_death_reported_twice_counts_once() -> None:
    state, _ = decision.exited(running(spec("a")), "a", KILLED, 1.0, POLICY, RNG)
    again, actions = decision.exited(state, "a", KILLED, 1.0, POLICY, RNG)
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
    state, _ = decision.exited(running(spec("a", restart=restart)), "a", exit_, 1.0, POLICY, RNG)
    assert (state.children["a"].phase is Phase.WAITING) is again


@pytest.mark.parametrize(
    ("strategy", "along"),
    [(Strategy.ONE_FOR_ONE, []), (Strategy.ONE_FOR_ALL, ["c", "a"]), (Strategy.REST_FOR_ONE, ["c"])],
)
def test_strategies_take_siblings_along_in_reverse_order(strategy: Strategy, along: list[str]) -> None:
    policy = Policy(strategy=strategy, pace=0.0)
    state, actions = decision.exited(
        running(spec("a"), spec("b"), spec("c"), policy=policy), "b", KILLED, 1.0, policy, RNG
    )
    assert asked(actions) == along
    if along:
        assert started(decision.tick(state, 1.0, policy)[1]) == []  # not before all of them are gone
    for id in along:
        state, _ = decision.exited(state, id, DONE, 1.1, policy, RNG)
    order = []
    for _ in range(3):
        state, actions = decision.tick(state, 1.2, policy)
        for id in started(actions):
            order.append(id)
            state = decision.up(state, id, state.children[id].incarnation, 1.2)
    assert order == sorted({"b", *along})


def test_too_many_restarts_escalate() -> None:
    policy = Policy(intensity=Intensity(2, 10.0), backoff=Backoff(0.0, 0.0), pace=0.0)
    state = running(spec("a"), policy=policy)
    for now in (1.0, 2.0):
        state, actions = decision.exited(state, "a", KILLED, now, policy, RNG)
        assert actions == ()
        state, actions = decision.tick(state, now, policy)
        state = decision.up(state, "a", state.children["a"].incarnation, now)
    _, actions = decision.exited(state, "a", KILLED, 3.0, policy, RNG)
    assert isinstance(actions[0], Escalate)


def test_a_crashing_session_is_parked_alone_and_tried_again() -> None:
    parks = spec("s", wait_ready=False, on_intensity=OnIntensity.PARK, intensity=Intensity(1, 60.0))
    policy = Policy(intensity=Intensity(0, 10.0), backoff=Backoff(0.0, 0.0), pace=0.0, park_retry=300.0)
    state = running(parks, spec("t", wait_ready=False), policy=policy)
    for now in (1.0, 2.0):
        state, actions = decision.exited(state, "s", KILLED, now, policy, RNG)
        assert not any(isinstance(action, Escalate) for action in actions)
        state, _ = decision.tick(state, now, policy)
    assert state.children["s"].phase is Phase.PARKED
    assert state.children["t"].phase is Phase.RUNNING
    state = decision.beat(state, "t", state.children["t"].incarnation, 301.0)
    state, actions = decision.tick(state, 301.0, policy)
    assert started(actions) == []
    state = decision.beat(state, "t", state.children["t"].incarnation, 302.0)
    state, actions = decision.tick(state, 302.0, policy)
    assert started(actions) == ["s"]


def test_back_off_doubles_and_is_reset_by_a_quiet_time() -> None:
    policy = Policy(intensity=Intensity(100, 1.0), backoff=Backoff(1.0, 8.0, reset_after=30.0), pace=0.0, tick=1e9)
    state = running(spec("a"), policy=policy)
    delays = []
    now = 1.0
    for _ in range(6):
        state, _ = decision.exited(state, "a", KILLED, now, policy, RNG)
        delays.append(state.children["a"].due - now)
        now = state.children["a"].due
        state, _ = decision.tick(state, now, policy)
        state = decision.up(state, "a", state.children["a"].incarnation, now)
        now += 1.0
    assert delays[0] == 0.0
    for delay, doubled in zip(delays[1:], (1, 2, 4, 8, 8), strict=True):
        assert 0.8 * doubled <= delay <= 1.2 * doubled
    state, _ = decision.exited(state, "a", KILLED, now + 30.0, policy, RNG)
    assert state.children["a"].due == now + 30.0


def test_a_silent_child_is_killed_and_its_exit_says_hung() -> None:
    state = running(spec("a", heartbeat_timeout=5.0))
    state, actions = decision.tick(state, 4.9, Policy(late_after=100))
    assert actions == ()
    state, actions = decision.tick(state, 5.1, Policy(late_after=100))
    assert actions == (Kill("a", "hung"),)
    state, _ = decision.exited(state, "a", KILLED, 5.2, POLICY, RNG)
    last = state.children["a"].last_exit
    assert last is not None
    assert last.how == "hung"


def test_a_child_that_never_comes_up_is_killed() -> None:
    state = decision.add(State(), [(spec("a", start_timeout=3.0), None)], 0.0)
    state, _ = decision.tick(state, 0.0, POLICY)
    _, actions = decision.tick(state, 3.1, Policy(late_after=100))
    assert actions == (Kill("a", "start_timeout"),)


def test_a_machine_that_paused_kills_nobody() -> None:
    state = running(*(spec(f"c{i}", heartbeat_timeout=5.0, wait_ready=False) for i in range(4)))
    state, _ = decision.tick(state, 0.5, POLICY)
    state, actions = decision.tick(state, 60.0, POLICY)
    assert actions == ()
    state, actions = decision.tick(state, 60.5, POLICY)
    assert actions == ()


def test_at_most_two_are_killed_a_tick() -> None:
    state = running(*(spec(f"c{i}", heartbeat_timeout=5.0, wait_ready=False) for i in range(4)))
    _, actions = decision.tick(state, 6.0, Policy(late_after=100))
    assert len(actions) == 2


def test_a_late_message_of_a_dead_child_is_harmless() -> None:
    state, _ = decision.exited(running(spec("a", heartbeat_timeout=5.0)), "a", KILLED, 1.0, POLICY, RNG)
    state, _ = decision.tick(state, 1.0, POLICY)
    assert decision.beat(state, "a", 1, 2.0) == state
    assert decision.up(state, "a", 1, 2.0) == state


def test_shutdown_goes_backwards_and_restarts_nothing() -> None:
    state = running(spec("a"), spec("b"), spec("s1", wait_ready=False), spec("s2", wait_ready=False))
    state, actions = decision.shutdown(state, 1.0)
    assert asked(actions) == ["s2", "s1"]
    state, actions = decision.exited(state, "s1", DONE, 1.1, POLICY, RNG)
    state, actions = decision.tick(state, 1.1, POLICY)
    assert asked(actions) == []
    state, _ = decision.exited(state, "s2", KILLED, 1.2, POLICY, RNG)
    state, actions = decision.tick(state, 1.2, POLICY)
    assert asked(actions) == ["b"]
    state, _ = decision.exited(state, "b", DONE, 1.3, POLICY, RNG)
    state, actions = decision.tick(state, 1.3, POLICY)
    assert asked(actions) == ["a"]
    state, actions = decision.exited(state, "a", KILLED, 1.4, POLICY, RNG)
    assert actions == (Finished(),)


def test_who_does_not_stop_in_time_is_killed() -> None:
    state, _ = decision.shutdown(running(spec("a", stop_timeout=2.0)), 1.0)
    state, actions = decision.tick(state, 2.9, Policy(late_after=100))
    assert actions == ()
    _, actions = decision.tick(state, 3.1, Policy(late_after=100))
    assert actions == (Kill("a", "stop_timeout"),)


def test_a_removed_child_that_is_wanted_again_comes_back() -> None:
    state, actions = decision.remove(running(spec("a")), "a", 1.0)
    assert asked(actions) == ["a"]
    state = decision.add(state, [(spec("a"), "new")], 1.1)
    state, _ = decision.exited(state, "a", DONE, 1.2, POLICY, RNG)
    state, actions = decision.tick(state, 1.2, POLICY)
    assert started(actions) == ["a"]
    assert state.children["a"].args == "new"


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


class Supervision(RuleBasedStateMachine):
    """A supervisor under any order of starts, kills at any point, silence, pauses and its own shutdown."""

    @initialize(
        strategy=st.sampled_from(list(Strategy)),
        kinds=st.lists(st.tuples(st.sampled_from(list(Restart)), st.booleans(), st.booleans()), min_size=1, max_size=5),
    )
    def begin(self, strategy: Strategy, kinds: list[tuple[Restart, bool, bool]]) -> None:
        self.policy = Policy(strategy=strategy, intensity=Intensity(8, 5.0), park_retry=20.0)
        self.rng = random.Random(0)
        self.now = 0.0
        self.alive: dict[str, int] = {}
        self.gone = False
        self.asked_to_stop: set[str] = set()
        specs = [
            (
                spec(
                    f"c{i}",
                    restart=restart,
                    wait_ready=ordered,
                    heartbeat_timeout=10.0,
                    on_intensity=OnIntensity.PARK if parks else OnIntensity.ESCALATE,
                ),
                None,
            )
            for i, (restart, ordered, parks) in enumerate(kinds)
        ]
        self.state = decision.add(State(), specs, self.now)

    def over(self) -> bool:
        return self.gone

    def perform(self, result: tuple[State, tuple[object, ...]]) -> None:
        was_stopping = self.state.stopping
        self.state, actions = result
        for action in actions:
            if isinstance(action, Start):
                assert not was_stopping, "nothing is started during shutdown"
                assert action.id not in self.alive, "one process a child"
                assert all(action.incarnation > known for known in self.alive.values())
                self.alive[action.id] = action.incarnation
            elif isinstance(action, Kill):
                assert action.id in self.alive
            elif isinstance(action, AskToStop):
                assert action.id in self.alive
                self.asked_to_stop.add(action.id)
            else:
                if isinstance(action, Finished):
                    assert not self.alive, "a supervisor outlives its children"
                self.gone = True

    @precondition(lambda self: not self.gone)
    @rule(seconds=st.sampled_from([0.02, 0.5, 1.0, 3.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.perform(decision.tick(self.state, self.now, self.policy))

    @precondition(lambda self: not self.gone and self.alive)
    @rule(data=st.data(), exit_=st.sampled_from([KILLED, DONE, Exit("code", 70)]))
    def a_child_dies(self, data: st.DataObject, exit_: Exit) -> None:
        id = data.draw(st.sampled_from(sorted(self.alive)))
        del self.alive[id]
        self.asked_to_stop.discard(id)
        self.perform(decision.exited(self.state, id, exit_, self.now, self.policy, self.rng))

    @precondition(lambda self: not self.gone and self.alive)
    @rule(data=st.data())
    def a_child_comes_up(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(sorted(self.alive)))
        self.state = decision.up(self.state, id, self.alive[id], self.now)

    @precondition(lambda self: not self.gone and self.alive)
    @rule(data=st.data())
    def a_child_beats(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(sorted(self.alive)))
        self.state = decision.beat(self.state, id, self.alive[id], self.now)

    @precondition(lambda self: not self.gone)
    @rule()
    def shutdown(self) -> None:
        self.perform(decision.shutdown(self.state, self.now))

    @precondition(lambda self: self.gone)
    @rule()
    def it_is_over(self) -> None:
        """Nothing follows."""

    @invariant()
    def books_are_right(self) -> None:
        if self.gone or not hasattr(self, "state"):
            return
        assert {id for id, child in self.state.children.items() if child.alive} == set(self.alive)
        assert 0 < decision.next_look(self.state, self.now, self.policy) <= self.policy.tick

    def teardown(self) -> None:
        """Whatever happened, a shutdown ends: everyone who is asked or killed dies, and it is over."""
        if not hasattr(self, "state") or self.over():
            return
        self.perform(decision.shutdown(self.state, self.now))
        for _ in range(200):
            if self.over():
                return
            for id in sorted(self.alive):
                if id in self.asked_to_stop:
                    del self.alive[id]
                    self.perform(decision.exited(self.state, id, DONE, self.now, self.policy, self.rng))
                    if self.over():
                        return
            self.now += 0.5
            self.perform(decision.tick(self.state, self.now, self.policy))
        raise AssertionError("the shutdown did not end")


TestSupervision = Supervision.TestCase
TestSupervision.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
