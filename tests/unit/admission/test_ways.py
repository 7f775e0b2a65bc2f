"""Proxies as ways out: the law of the slots holds for each of them, and one that fails takes none from the others."""

import itertools
import math
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from actors.admission import board as boards
from actors.admission import ways
from actors.admission.board import Ask, Board, Later, Slot
from actors.admission.detours import Detours, Proxy
from actors.admission.outage import LONGEST_WAIT
from actors.admission.slots import AHEAD, SECOND, SLACK, USABLE, gap
from actors.admission.ways import MOST, Way
from tests.unit.admission.test_slots import most_in_a_second

FAILED = "proxy_failed"


@dataclass
class Fleet:
    """Hosts that take slots for sessions behind proxies, and use them late, or never."""

    rate: float
    board: Board = field(default_factory=Board)
    now: float = 1000.0
    pending: dict[int, Slot] = field(default_factory=dict)
    unused: dict[int, Slot] = field(default_factory=dict)
    connects: list[tuple[float, str | None]] = field(default_factory=list)
    used: list[tuple[float, str | None]] = field(default_factory=list)

    def look(self, shard: int, way: Way | None, waiting: int = 1) -> Slot | Later | None:
        if shard in self.pending:
            return None
        ask = Ask(shard, 32, waiting, way=way)
        if (unused := self.unused.pop(shard, None)) is not None:
            ask = replace(ask, unused=unused.at, unused_way=unused.way)
        self.board, answer = boards.take(self.board, ask, self.now, self.rate)
        assert len(self.board.held) <= MOST
        if isinstance(answer, Slot):
            assert self.now <= answer.at <= self.now + AHEAD
            assert answer.way == way
            self.pending[shard] = answer
        return answer

    def use(self, shard: int, late: float, way: float) -> None:
        slot = self.pending.pop(shard, None)
        if slot is None:
            return
        self.now = max(self.now, slot.at)
        late = max(late, self.now - slot.at)
        if late > USABLE:
            self.unused[shard] = slot
            return
        name = None if slot.way is None else slot.way.name
        self.used.append((slot.at, name))
        self.connects.append((slot.at + late + way, name))

    def drop(self, shard: int) -> None:
        """Nobody waits there any more: the slot goes back, perhaps before its time."""
        if (slot := self.pending.pop(shard, None)) is not None:
            self.unused[shard] = slot


NAMES = st.sampled_from([None, "a", "b", "c"])
DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["look", "look", "use", "kill", "drop"]),
        st.integers(0, 5),
        NAMES,
        st.sampled_from([0.0, 0.0, 0.0, 5.0]),
        st.sampled_from([0.0, 0.01, USABLE, 0.3]),
        st.floats(0, SLACK - USABLE - 1e-6),
        st.sampled_from([0.0, 0.001, 0.05, 0.2, 1.0, 30.0]),
    ),
    max_size=150,
)


@given(st.floats(0.5, 60.0), st.fixed_dictionaries({name: st.floats(0.1, 60.0) for name in "abc"}), DEEDS)
def test_no_second_has_more_connects_than_the_bound_of_the_fleet_nor_of_a_proxy(
    rate: float, rates: dict[str, float], deeds: list[tuple[str, int, str | None, float, float, float, float]]
) -> None:
    fleet = Fleet(rate)
    for deed, shard, name, wait, late, way, seconds in deeds:
        fleet.now += seconds
        if deed == "look":
            fleet.look(shard, None if name is None else Way(name, rates[name], wait))
        elif deed == "use":
            fleet.use(shard, late, way)
        elif deed == "drop":
            fleet.drop(shard)
        else:
            fleet.pending.pop(shard, None)
    assert most_in_a_second([at for at, _ in fleet.connects]) <= math.ceil(rate)
    for name in "abc":
        assert most_in_a_second([at for at, used in fleet.connects if used == name]) <= math.ceil(rates[name])
        ordered = sorted(at for at, used in fleet.used if used == name)
        assert all(b - a >= gap(rates[name]) - 1e-9 for a, b in itertools.pairwise(ordered))


def test_who_waits_for_a_slow_proxy_takes_no_slot_from_the_others() -> None:
    fleet, slow = Fleet(5.0), Way("slow", 1.0)
    while fleet.now < 1020.0:
        for shard, way in enumerate([slow, None]):
            if shard in fleet.pending and fleet.now >= fleet.pending[shard].at:
                fleet.use(shard, 0.0, 0.0)
            fleet.look(shard, way)
        fleet.now += 0.005
    through = [at for at, name in fleet.used if name == "slow"]
    assert 16 <= len(through) <= 19
    assert len(fleet.used) >= 20 * 5 / (SECOND + SLACK) - 5, "the whole fleet has all of its slots"


@given(st.floats(-1e9, 1e9), st.floats(0.01, 100.0), st.floats(0, 1e6))
def test_a_way_is_never_held_for_long_whatever_was_left_behind(left: float, rate: float, now: float) -> None:
    way = Way("a", rate)
    held = ways.bounded({way.key: left}, way, now)
    later = now + max(gap(rate), LONGEST_WAIT) + AHEAD
    assert ways.is_free(held, way, later)


def test_a_slot_that_was_not_used_is_given_back_to_its_way() -> None:
    way = Way("a", 0.1)
    held = ways.take({}, way, 100.0, 100.0)
    assert not ways.is_free(held, way, 105.0)
    assert ways.is_free(ways.give_back(held, way, 100.0), way, 100.0)
    assert ways.give_back(held, way, 99.0) == held


def test_a_slot_that_is_given_back_before_its_time_brings_the_next_one_through_its_way_no_nearer() -> None:
    fleet, slow = Fleet(5.0), Way("slow", 1.0)
    fleet.look(0, slow)
    fleet.use(0, 0.0, 0.0)
    fleet.now += gap(1.0) - AHEAD + 0.001
    for _ in range(3):
        fleet.look(1, slow)
        fleet.drop(1)
    fleet.look(1, slow)
    fleet.use(1, 0.0, 0.0)
    (first, _), (second, _) = fleet.used
    assert second == first + gap(1.0)


def test_more_ways_than_there_is_room_for_wait_and_none_is_forgotten_too_early() -> None:
    held: ways.Held = {}
    for number in range(MOST):
        held = ways.take(held, Way(f"w{number}", 0.01), 100.0, 100.0)
    assert not ways.is_free(held, Way("one more", 5.0), 101.0)
    assert not ways.is_free(held, Way("w1", 0.01), 101.0)
    assert ways.is_free(held, Way("one more", 5.0), 300.0)
    assert len(ways.take(held, Way("one more", 5.0), 300.0, 300.0)) == 1


def proxied(sessions: int = 8, rate: float | None = None) -> Detours:
    return Detours(lambda session: Proxy("p", rate, sessions) if session.startswith("p") else None)


def test_a_proxy_that_fails_for_many_is_probed_by_one_at_a_time_of_the_whole_fleet() -> None:
    detours = proxied()
    for number in range(3):
        assert detours.due(f"p{number}", 10.0) == 10.0
        detours.failed(f"p{number}", FAILED, 10.0, 1e9)
    assert detours.failing() == ["p"]
    assert detours.due("p7", 10.0) > 10.0
    assert detours.due("direct", 10.0) == 10.0
    waits = []
    for _ in range(6):
        way = detours.way("p7", 5.0)
        assert way is not None
        waits.append(way.hold)
        detours.probed("p7", 20.0)
    assert waits == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert detours.passed("p7")
    assert not detours.passed("p7")
    assert detours.due("p1", 20.0) == 20.0
    way = detours.way("p1", 5.0)
    assert way is not None
    assert way.hold == gap(5.0)
    held = ways.works({way.key: 29.0}, way, 20.0)
    assert ways.is_free(held, way, 20.0 + gap(5.0))


def test_a_proxy_whose_url_was_changed_begins_without_a_trouble() -> None:
    mark = "p.1"
    detours = Detours(lambda session: Proxy("p", None, 8, mark) if session.startswith("p") else None)
    for number in range(3):
        detours.failed(f"p{number}", FAILED, 10.0, 1e9)
        detours.probed("p0", 10.0)
    assert detours.moved() == []
    mark = "p.2"
    way = detours.way("p7", 5.0)
    assert way is not None
    assert (detours.failing(), detours.due("p7", 10.0), way.hold) == ([], 10.0, gap(5.0))
    assert detours.moved() == ["p0"]
    assert detours.moved() == []
    assert not detours.passed("p0")
    # what the old one did counts for nothing
    for number in range(2):
        detours.failed(f"p{number}", FAILED, 20.0, 1e9)
    assert detours.failing() == []
    detours.failed("p2", FAILED, 20.0, 1e9)
    assert detours.failing() == ["p"]
    mark = "p.3"
    detours.failed("p2", FAILED, 20.0, 1e9)
    assert detours.failing() == []
    for number in range(3):
        detours.forget(f"p{number}")
    mark = "p.4"
    assert detours.moved() == []


def test_one_or_two_that_fail_are_left_to_their_own_back_off() -> None:
    detours = proxied()
    for _ in range(9):
        for session in ("p1", "p2", "direct"):
            detours.failed(session, FAILED, 10.0, 1e9)
    assert detours.failing() == []


def test_the_bound_of_a_proxy_is_its_own_and_at_most_that_of_the_fleet() -> None:
    for rate, fleet, share, bound in [
        (None, 5.0, 1.0, 5.0),
        (2.0, 5.0, 1.0, 2.0),
        (9.0, 5.0, 1.0, 5.0),
        (2.0, 2.5, 0.5, 1.0),
    ]:
        way = proxied(rate=rate).way("p1", fleet, share)
        assert way is not None
        assert way.rate == bound
    assert proxied().way("direct", 5.0) is None
