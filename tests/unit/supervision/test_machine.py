"""The restart decision under any order of deaths, hangs, late news, pauses, an operator's wishes and its own end."""

from collections.abc import Sequence

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from actors.supervision import clock
from actors.supervision.spec import Backoff, ChildSpec, Intensity, OnIntensity, Policy, Restart, Strategy
from actors.supervision.state import Exit
from tests.unit.supervision.kit import DONE, KILLED
from tests.unit.supervision.world import Process, World

EXITS = [KILLED, DONE, Exit("code", 70), Exit("unknown")]
NUMBERS = st.integers(0, 1000)
"""Chooses one of what there is at that moment."""


class Supervision(RuleBasedStateMachine):
    """A supervisor in a world where all that can go wrong does."""

    strategy = Strategy.ONE_FOR_ONE
    restart = Restart.PERMANENT
    on_intensity = OnIntensity.ESCALATE

    @initialize(
        others=st.lists(st.sampled_from(list(Restart)), min_size=1, max_size=4),
        ordered=st.lists(st.booleans(), min_size=7, max_size=7),
        restarts=st.integers(0, 6),
    )
    def begin(self, others: list[Restart], ordered: list[bool], restarts: int) -> None:
        policy = Policy(
            strategy=self.strategy,
            intensity=Intensity(restarts, 5.0),
            backoff=Backoff(0.1, 4.0, 10.0),
            pace=0.05,
            park_retry=20.0,
        )
        self.world = World(policy)
        types = [self.restart, *others, self.restart, Restart.PERMANENT]
        self.specs = [
            ChildSpec(
                f"c{number}",
                "worker",
                restart=type_,
                wait_ready=ordered[number],
                start_timeout=3.0,
                heartbeat_timeout=4.0,
                stop_timeout=2.0,
                on_intensity=self.on_intensity,
                intensity=Intensity(2, 6.0) if ordered[number] else None,
            )
            for number, type_ in enumerate(types)
        ]
        for spec in self.specs[:-2]:  # the others are added later, perhaps
            self.world.add(spec)

    def chosen(self, number: int, of: Sequence[Process]) -> Process:
        return of[number % len(of)]

    def living(self) -> list[Process]:
        return list(self.world.alive.values())

    @precondition(lambda self: not self.world.over)
    @rule(seconds=st.sampled_from([0.0, 0.05, 0.3, 0.5, 1.0, 2.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.tick(seconds)

    @precondition(lambda self: not self.world.over)
    @rule(turns=st.integers(1, 12))
    def silence(self, turns: int) -> None:
        for _ in range(turns):
            if not self.world.over:
                self.world.tick(0.5)

    @precondition(lambda self: not self.world.over)
    @rule(seconds=st.sampled_from([5.0, 60.0, 3600.0]), beats_first=st.booleans())
    def the_machine_pauses(self, seconds: float, beats_first: bool) -> None:
        self.world.tick(0.0)
        if self.world.over:
            return
        if beats_first:  # what lay in the inbox is handled before the clock is looked at
            self.world.now += seconds
            for process in self.living():
                if not process.hung:
                    self.world.beats(process)
            seconds = 0.0
        self.world.tick(seconds)

    @precondition(lambda self: not self.world.over and self.world.alive)
    @rule(number=NUMBERS, exit_=st.sampled_from(EXITS), told=st.booleans())
    def a_child_dies(self, number: int, exit_: Exit, told: bool) -> None:
        self.world.dies(self.chosen(number, self.living()).id, exit_)
        if told:
            self.world.report(len(self.world.reports) - 1)

    @precondition(lambda self: not self.world.over and self.world.reports)
    @rule(number=NUMBERS)
    def a_death_is_reported(self, number: int) -> None:
        self.world.report(number % len(self.world.reports))

    @precondition(lambda self: not self.world.over and self.world.reported)
    @rule(number=NUMBERS)
    def a_death_is_reported_again(self, number: int) -> None:
        self.world.report_again(number % len(self.world.reported))

    @precondition(lambda self: not self.world.over and self.world.alive)
    @rule(number=NUMBERS)
    def a_child_hangs(self, number: int) -> None:
        self.chosen(number, self.living()).hung = True

    @precondition(lambda self: not self.world.over and self.world.alive)
    @rule()
    def all_do_what_they_are_to_do(self) -> None:
        for process in self.living():
            if process.killed or (process.asked_at is not None and not process.hung):
                self.world.dies(process.id, DONE)
            elif not process.hung:
                self.world.comes_up(process)
                self.world.beats(process)

    @precondition(lambda self: not self.world.over and self.world.reported)
    @rule(number=NUMBERS, up=st.booleans())
    def news_of_a_dead_one(self, number: int, up: bool) -> None:
        process = self.chosen(number, [process for process, _ in self.world.reported])
        (self.world.comes_up if up else self.world.beats)(process)

    @precondition(lambda self: not self.world.over)
    @rule()
    def the_next_start_fails(self) -> None:
        self.world.no_fork = True

    @precondition(lambda self: not self.world.over)
    @rule(number=NUMBERS)
    def the_operator_adds(self, number: int) -> None:
        self.world.add(self.specs[number % len(self.specs)])

    @precondition(lambda self: not self.world.over)
    @rule(number=NUMBERS)
    def the_operator_removes(self, number: int) -> None:
        self.world.remove(self.specs[number % len(self.specs)].id)

    @precondition(lambda self: not self.world.over)
    @rule(number=NUMBERS)
    def the_operator_restarts(self, number: int) -> None:
        self.world.restart(self.specs[number % len(self.specs)].id)

    @precondition(lambda self: not self.world.over)
    @rule(number=st.integers(0, 9))
    def shutdown(self, number: int) -> None:
        if number == 0:  # rarely: little can happen after it
            self.world.shutdown()

    @precondition(lambda self: self.world.over)
    @rule()
    def it_is_over(self) -> None:
        """Nothing follows."""

    @invariant()
    def the_books_are_right(self) -> None:
        world = getattr(self, "world", None)
        if world is None or world.over:
            return
        known = {id for id, child in world.state.children.items() if child.alive}
        assert known == set(world.alive) | {process.id for process, _ in world.reports}
        assert 0 < clock.next_look(world.state, world.now, world.policy) <= world.policy.tick

    def teardown(self) -> None:
        """Whatever happened: in a quiet environment it heals, and then a shutdown ends it."""
        world = getattr(self, "world", None)
        if world is None or world.over:
            return
        world.heal()
        if not world.over:
            world.shutdown()
        world.heal()
        assert world.over


def machine(strategy: Strategy, restart: Restart, on_intensity: OnIntensity) -> type[Supervision]:
    fixed = {"strategy": strategy, "restart": restart, "on_intensity": on_intensity}
    return type("Supervision", (Supervision,), fixed)


@pytest.mark.parametrize("on_intensity", OnIntensity)
@pytest.mark.parametrize("restart", Restart)
@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("lives", [8, pytest.param(300, marks=[pytest.mark.full, pytest.mark.timeout(900)])])
def test_supervision(lives: int, strategy: Strategy, restart: Restart, on_intensity: OnIntensity) -> None:
    run_state_machine_as_test(
        machine(strategy, restart, on_intensity),
        settings=settings(max_examples=lives, stateful_step_count=40, deadline=None),
    )
