"""The law of the slots, held against hosts that come and go, are late, are killed, and change the bound."""

import itertools
import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.admission import board as boards
from actors.admission.board import Ask, Board, Slot
from actors.admission.slots import (
    AHEAD,
    CATCHING_UP,
    CREDIT,
    LONGEST_WAY,
    MOST,
    SECOND,
    SLACK,
    USABLE,
    Schedule,
    gap,
    pace,
)


def most_in_a_second(times: list[float]) -> int:
    """The most of them in any second, its end not included."""
    ordered = sorted(times)
    return max((sum(1 for later in ordered if at <= later < at + 1) for at in ordered), default=0)


def keep_the_law(used: list[float], rate: float) -> bool:
    """Whether slots that were used, at one bound, lie as far apart as the docstring says."""
    ordered, most = sorted(used), math.ceil(rate)
    apart = pace(rate) / CATCHING_UP - 1e-6
    return all(later - at >= SECOND - 1e-6 for at, later in zip(ordered, ordered[most:], strict=False)) and all(
        later - at >= apart for at, later in itertools.pairwise(ordered)
    )


def keep_the_pace(used: list[float], rate: float) -> bool:
    """Whether they are no more, in any time, than those that are due in it and those that may be made up for."""
    ahead = [at - number * pace(rate) for number, at in enumerate(sorted(used))]
    return all(
        most - at <= CREDIT + AHEAD + 1e-6 for most, at in zip(itertools.accumulate(ahead, max), ahead, strict=True)
    )


@dataclass
class Fleet:
    """Hosts that take slots and use them late, or never; ``connects`` are the moments seen by the server."""

    rate: float
    board: Board = field(default_factory=Board)
    now: float = 1000.0
    pending: dict[int, float] = field(default_factory=dict)
    """shard -> slot that it has taken and not used yet."""
    unused: dict[int, float] = field(default_factory=dict)
    connects: list[float] = field(default_factory=list)
    used: list[float] = field(default_factory=list)
    answers: list[tuple[float, float]] = field(default_factory=list)
    """When the server's answer to a connection comes, and its slot."""

    def look(self, shard: int, waiting: int, urgency: int = 0) -> None:
        """A host looks at the board, unless it has a slot at hand; one that it was too late for it gives back."""
        if shard in self.pending:
            return
        self.hear()
        ask = Ask(shard, 32, waiting, urgency, self.unused.pop(shard, None))
        self.board, answer = boards.take(self.board, ask, self.now, self.rate)
        if isinstance(answer, Slot):
            assert self.now <= answer.at <= self.now + AHEAD
            self.pending[shard] = answer.at

    def hear(self) -> None:
        """Who has heard of the server tells it at once."""
        for answered, slot in sorted(answer for answer in self.answers if answer[0] <= self.now):
            self.board = boards.reached(self.board, [(slot, answered)], self.now)
        self.answers = [answer for answer in self.answers if answer[0] > self.now]

    def use(self, shard: int, late: float, way: float, back: float | None = None) -> None:
        """A host uses what it has ``late`` seconds after its time; the server sees it ``way`` seconds later.

        Its answer comes ``back`` seconds after that; None: never.
        """
        at = self.pending.pop(shard, None)
        if at is not None and late > USABLE:
            self.unused[shard] = at
        elif at is not None:
            self.used.append(at)
            self.connects.append(at + late + way)
            if back is not None:
                self.answers.append((at + late + way + back, at))


BACK = st.sampled_from([None, 0.0, 0.001, 0.02, 0.1, 0.5, 3.0])
Deed = tuple[str, int, int, int, float, float, float | None, float]
DEED = st.tuples(
    st.sampled_from(["look", "use", "kill", "pass", "leave"]),
    st.integers(0, 7),
    st.integers(0, 5),
    st.integers(-3, 3),
    st.sampled_from([0.0, 0.0, 0.01, 0.02, USABLE, 0.3]),
    st.floats(0, SLACK - USABLE - 1e-6),
    BACK,
    st.sampled_from([0.0, 0.001, 0.05, 0.2, 1.0, 30.0]),
)
DEEDS = st.lists(DEED, max_size=150)


def act(fleet: Fleet, deeds: list[Deed]) -> None:
    """They do all of it."""
    for deed, shard, waiting, urgency, late, way, back, seconds in deeds:
        fleet.now += seconds
        if deed == "look":
            fleet.look(shard, waiting, urgency)
        elif deed == "use" and (at := fleet.pending.get(shard)) is not None:
            # a host that was too slow to wake throws the slot away; what it uses it uses at the time of the slot
            fleet.now = max(fleet.now, at)
            fleet.use(shard, max(late, fleet.now - at), way, back)
        elif deed == "kill":
            fleet.pending.pop(shard, None)  # between taking a slot and using it
        elif deed == "pass":
            fleet.board = boards.passed(fleet.board, fleet.now)
        elif deed == "leave":
            fleet.board = boards.left(fleet.board, shard)


@given(st.floats(0.2, 60.0), DEEDS)
def test_no_second_has_more_connects_than_the_bound(rate: float, deeds: list[Deed]) -> None:
    fleet = Fleet(rate)
    act(fleet, deeds)
    assert most_in_a_second(fleet.connects) <= math.ceil(rate)
    assert keep_the_law(fleet.used, rate)
    assert keep_the_pace(fleet.used, rate)


STARVED = st.lists(
    st.tuples(
        st.floats(0, 0.02) | st.sampled_from([0.0, 0.1, 0.3, 0.7, 1.5]),
        st.sampled_from([0.0, 0.0, 0.0, 0.02, USABLE, 0.3]),
        st.floats(0, SLACK - USABLE - 1e-6),
        BACK,
    ),
    min_size=50,
    max_size=200,
)


@given(st.floats(0.2, 60.0), st.integers(1, 8), STARVED)
def test_no_second_has_more_while_hosts_that_all_have_work_get_no_processor_time(
    rate: float, hosts: int, turns: list[tuple[float, float, float, float | None]]
) -> None:
    fleet = Fleet(rate)
    for seconds, late, way, back in turns:
        fleet.now += seconds
        for shard in range(hosts):
            if (at := fleet.pending.get(shard)) is not None and at <= fleet.now:
                fleet.use(shard, max(late, fleet.now - at), way, back)
            fleet.look(shard, 9)
    assert most_in_a_second(fleet.connects) <= math.ceil(rate)
    assert keep_the_law(fleet.used, rate)
    assert keep_the_pace(fleet.used, rate)


@given(st.lists(st.tuples(st.floats(0.2, 60.0), st.lists(DEED, max_size=40)), min_size=2, max_size=4))
def test_while_the_bound_changes_each_slot_keeps_that_of_who_takes_it(stages: list[tuple[float, list[Deed]]]) -> None:
    fleet, bound_of = Fleet(1.0), dict[float, float]()
    for rate, deeds in stages:
        fleet.rate = rate
        for deed in deeds:
            act(fleet, [deed])
            bound_of.update(dict.fromkeys(fleet.pending.values() - bound_of.keys(), rate))
    ordered = sorted(fleet.used)
    for number, at in enumerate(ordered):
        lately = [other for other in ordered[:number] if other > at - SECOND + 1e-6]
        assert len(lately) < math.ceil(bound_of[at])
    assert most_in_a_second(fleet.connects) <= math.ceil(max(rate for rate, _ in stages))


@given(st.floats(0.2, 60.0), DEEDS, st.floats(0, 60))
def test_nothing_is_saved_up_while_nobody_waits(rate: float, deeds: list[Deed], idle: float) -> None:
    fleet = Fleet(rate)
    act(fleet, deeds)
    fleet.now += AHEAD
    fleet.pending.clear()
    for shard in range(8):
        fleet.look(shard, 0)
    fleet.now += idle
    for shard in range(8):
        fleet.look(shard, 1)
    begun = enumerate(sorted(fleet.pending.values()))
    assert all(at >= fleet.now + number * pace(rate) - 1e-6 for number, at in begun)


@given(
    st.floats(0, 1e9),
    st.lists(st.floats(0, 1e9), max_size=9),
    st.floats(0, 1e9),
    st.floats(0.01, 1000.0),
)
def test_a_slot_is_never_far_away_for_long(next_at: float, used: list[float], now: float, rate: float) -> None:
    """Whatever was left on the board, by a slower rate or by another boot, it is over after a gap and some seconds."""
    left = Schedule(next_at, tuple(sorted(at + SLACK for at in used)), max(used, default=0.0))
    assert left.earliest(now, rate) <= now + 2 * AHEAD + LONGEST_WAY + max(SECOND, pace(rate)) + 1e-6
    for begins in used:
        left = left.given_back(begins, rate)
    assert left.reach == ()


def test_a_bound_beyond_all_measure_is_kept_as_the_highest_there_is() -> None:
    schedule, now, begun = Schedule(next_at=99.5), 100.0, list[float]()
    while len(begun) < 3 * MOST:
        begins = schedule.earliest(now, 1e6)
        if begins - now > AHEAD:
            now = begins - AHEAD
        schedule = schedule.taken(begins, now, 1e6)
        begun.append(begins)
        assert len(schedule.reach) <= MOST
    assert all(later - at >= SECOND + SLACK - 1e-6 for at, later in zip(begun, begun[MOST:], strict=False))


WAYS = st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 0.2)), min_size=1, max_size=40)


@given(st.floats(0.2, 60.0), st.integers(1, 8), WAYS)
def test_no_second_has_more_on_slow_ways_whose_ends_are_told(
    rate: float, hosts: int, ways: list[tuple[float, float]]
) -> None:
    fleet, number = Fleet(rate), 0
    while number < 4 * len(ways):
        for shard in range(hosts):
            if (at := fleet.pending.get(shard)) is not None and at <= fleet.now:
                way, back = ways[number % len(ways)]
                fleet.use(shard, max(0.0, fleet.now - at), way, back)
                number += 1
            fleet.look(shard, 9)
        later = [at for at in (*fleet.pending.values(), *(at for at, _ in fleet.answers)) if at > fleet.now]
        fleet.now = min([*later, fleet.now + boards.LOOK])
    assert most_in_a_second(fleet.connects) <= math.ceil(rate)


def test_what_is_known_of_the_ways_gains_what_was_kept_for_them() -> None:
    def took(back: float | None) -> float:
        fleet = Fleet(50.0)
        while len(fleet.used) < 500:
            if fleet.pending and fleet.now >= fleet.pending[0]:
                fleet.use(0, 0.0, 0.001, back)
            fleet.look(0, 9)
            fleet.now += 0.001
        return max(fleet.used) - min(fleet.used)

    assert took(0.001) <= 499 / 50 * 1.04
    assert took(None) == pytest.approx(499 * gap(50.0), rel=0.02)


def test_what_hosts_were_too_slow_to_take_is_made_up_for() -> None:
    fleet, left = Fleet(50.0), 300
    while left and fleet.now < 1020:
        for shard in range(16):
            if shard in fleet.pending and fleet.now >= fleet.pending[shard]:
                before = len(fleet.used)
                fleet.use(shard, fleet.now - fleet.pending[shard], 0.0)
                left -= len(fleet.used) - before
            fleet.look(shard, 9)
        stopped = any(abs(fleet.now - 1000.0 - at) < 1e-3 for at in (0.4, 1.4, 2.7))
        fleet.now += 0.3 if stopped else 0.002  # nobody gets any processor time
    took = max(fleet.used) - min(fleet.used)
    assert took <= 299 * gap(50.0) + 0.35, "three times 0.3 s, in all of which somebody waited"
    assert most_in_a_second(fleet.connects) <= 50
    assert keep_the_law(fleet.used, 50.0)


def test_a_slot_that_is_given_back_is_replaced_also_when_others_were_taken_after_it() -> None:
    fleet = Fleet(5.0)
    fleet.look(0, 1)
    fleet.look(1, 1)
    second = fleet.pending[1]
    fleet.use(0, 0.3, 0.0)
    fleet.now = second
    fleet.look(0, 1)
    assert fleet.pending[0] == second + pace(5.0) / CATCHING_UP
    assert fleet.board.schedule.reach == (second + SLACK, fleet.pending[0] + SLACK)


def test_an_outage_is_no_time_in_which_slots_were_waited_for() -> None:
    fleet = Fleet(5.0)
    fleet.look(0, 5)
    fleet.board = boards.failed(fleet.board, 0, 8, "network_unreachable", fleet.now, 1e9)
    assert fleet.board.outage.on
    for _ in range(20):
        fleet.look(0, 5)
        fleet.pending.clear()
        fleet.now += 0.5
    fleet.board = boards.passed(fleet.board, fleet.now)
    fleet.look(0, 5)
    fleet.look(1, 5)
    assert fleet.pending == {0: fleet.now, 1: fleet.now + pace(5.0)}


def test_a_fleet_that_has_work_uses_every_slot() -> None:
    fleet, shards, left = Fleet(5.0), range(16), dict.fromkeys(range(16), 20)
    while any(left.values()) and fleet.now < 2000:
        for shard in shards:
            if shard in fleet.pending and fleet.now >= fleet.pending[shard]:
                fleet.use(shard, fleet.now - fleet.pending[shard], 0.0)
                left[shard] -= 1
            if left[shard] > 0:
                fleet.look(shard, left[shard])
        fleet.now += 0.005
    assert len(fleet.connects) == 320
    assert most_in_a_second(fleet.connects) <= 5
    took = max(fleet.connects) - min(fleet.connects)
    assert took <= 319 / 5 * 1.15, "all are through in the time of the bound and a seventh"


def test_after_silence_the_first_goes_at_once_and_nothing_was_saved_up() -> None:
    fleet = Fleet(5.0)
    for shard in range(8):
        fleet.look(shard, 1)
    fleet.now += 3600
    fleet.pending.clear()
    for shard in range(8):
        fleet.look(shard, 1)
    assert sorted(fleet.pending.values()) == [fleet.now, fleet.now + pace(5.0)]


def test_the_more_urgent_host_goes_first_while_it_is_there() -> None:
    fleet = Fleet(50.0)
    fleet.look(1, 3, urgency=4)
    fleet.pending.clear()
    fleet.look(2, 30)
    assert not fleet.pending, "it waits for the other"
    fleet.now += boards.FRESH + 0.1
    fleet.look(2, 30)
    assert 2 in fleet.pending, "the other is stopped or dead: nobody waits for it"
    fleet.pending.clear()
    fleet.look(1, 0, urgency=4)
    fleet.look(3, 1, urgency=-5)
    assert 3 not in fleet.pending
    fleet.look(2, 0)
    fleet.look(3, 1, urgency=-5)
    assert 3 in fleet.pending, "nobody more urgent waits"
