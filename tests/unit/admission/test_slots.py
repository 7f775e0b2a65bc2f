"""The law of the slots, held against hosts that come and go, are late, are killed, and change the bound."""

import itertools
import math
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from actors.admission import board as boards
from actors.admission.board import Ask, Board, Slot
from actors.admission.slots import AHEAD, SLACK, USABLE, gap, next_slot


def most_in_a_second(times: list[float]) -> int:
    """The most of them in any second, its end not included."""
    ordered = sorted(times)
    return max((sum(1 for later in ordered if at <= later < at + 1) for at in ordered), default=0)


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

    def look(self, shard: int, waiting: int, urgency: int = 0) -> None:
        """A host looks at the board, unless it has a slot at hand; one that it was too late for it gives back."""
        if shard in self.pending:
            return
        ask = Ask(shard, 32, waiting, urgency, self.unused.pop(shard, None))
        self.board, answer = boards.take(self.board, ask, self.now, self.rate)
        if isinstance(answer, Slot):
            assert self.now <= answer.at <= self.now + AHEAD
            self.pending[shard] = answer.at

    def use(self, shard: int, late: float, way: float) -> None:
        """A host uses what it has ``late`` seconds after its time; the server sees it ``way`` seconds later."""
        at = self.pending.pop(shard, None)
        if at is not None and late > USABLE:
            self.unused[shard] = at
        elif at is not None:
            self.used.append(at)
            self.connects.append(max(self.now, at) + late + way)


Deed = tuple[str, int, int, int, float, float, float]
DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["look", "use", "kill", "pass", "leave"]),
        st.integers(0, 7),
        st.integers(0, 5),
        st.integers(-3, 3),
        st.sampled_from([0.0, 0.0, 0.01, 0.04, USABLE, 0.3]),
        st.floats(0, SLACK - USABLE - 1e-6),
        st.sampled_from([0.0, 0.001, 0.05, 0.2, 1.0, 30.0]),
    ),
    max_size=150,
)


@given(st.floats(0.2, 60.0), DEEDS)
def test_no_second_has_more_connects_than_the_bound(rate: float, deeds: list[Deed]) -> None:
    fleet = Fleet(rate)
    for deed, shard, waiting, urgency, late, way, seconds in deeds:
        fleet.now += seconds
        if deed == "look":
            fleet.look(shard, waiting, urgency)
        elif deed == "use":
            # a host that was too slow to wake throws the slot away; what it uses it uses at the time of the slot
            at = fleet.pending.get(shard, math.inf)
            fleet.now = max(fleet.now, at) if fleet.now <= at else fleet.now
            fleet.use(shard, max(late, fleet.now - at), way)
        elif deed == "kill":
            fleet.pending.pop(shard, None)  # between taking a slot and using it
        elif deed == "pass":
            fleet.board = boards.passed(fleet.board, fleet.now)
        else:
            fleet.board = boards.left(fleet.board, shard)
    assert most_in_a_second(fleet.connects) <= math.ceil(rate)
    ordered = sorted(fleet.used)
    assert all(b - a >= gap(rate) - 1e-9 for a, b in itertools.pairwise(ordered))


@given(st.floats(0, 1e9), st.floats(0, 1e9), st.floats(0.01, 1000.0))
def test_a_slot_is_never_far_away_for_long(next_at: float, now: float, rate: float) -> None:
    """Whatever was left on the board, by a slower rate or by another boot, it is over after one gap."""
    later = now + AHEAD + gap(rate)
    found = next_slot(min(next_at, now + AHEAD + gap(rate)), later, rate)
    assert found is not None
    assert found[0] <= later + AHEAD


@given(st.lists(st.floats(0.5, 50.0), min_size=2, max_size=40))
def test_slots_keep_the_distance_of_each_ones_own_bound_while_it_changes(rates: list[float]) -> None:
    next_at, now, last, before = 0.0, 100.0, -math.inf, math.inf
    for rate in rates:
        found = next_slot(next_at, now, rate)
        while found is None:
            now += 0.01
            found = next_slot(next_at, now, rate)
        begins, next_at = found
        assert begins - last >= min(gap(rate), gap(before)) - 1e-9
        last, before = begins, rate


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
    assert sorted(fleet.pending.values()) == [fleet.now, fleet.now + gap(5.0)]


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
