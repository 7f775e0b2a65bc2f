import asyncio

from hypothesis import given
from hypothesis import strategies as st

from actors.connectors.protocol import Admission
from actors.connectors.simulator.admission import Bucket, Gate, Ticket
from tests.unit.connectors.simulator.virtual import in_virtual_time


@given(st.floats(0, 100), st.integers(1, 50), st.lists(st.floats(0, 5), max_size=200))
def test_bucket_never_gives_more_than_its_bound(rate: float, burst: int, pauses: list[float]) -> None:
    bucket, now, given_at = Bucket(rate, burst, float(burst), 0.0), 0.0, []
    for pause in pauses:
        now += pause
        bucket = bucket.refilled(now)
        if (taken := bucket.taken()) is not None:
            bucket = taken
            given_at.append(now)
    for first, start in enumerate(given_at):
        for last in range(first, len(given_at)):
            assert last - first + 1 <= burst + rate * (given_at[last] - start) + 1e-6


@given(st.floats(0.01, 100), st.integers(1, 50))
def test_bucket_gives_after_its_wait(rate: float, burst: int) -> None:
    bucket = Bucket(rate, burst, 0.0, 0.0)
    wait = bucket.wait()
    assert wait is not None
    assert bucket.refilled(wait).taken() is not None
    assert bucket.refilled(wait * 0.99).taken() is None


def test_empty_bucket_without_rate_never_gives() -> None:
    bucket = Bucket(0, 1, 0.0, 0.0)
    assert bucket.wait() is None
    assert bucket.refilled(1e9).taken() is None


@given(st.floats(0, 10), st.integers(1, 10), st.integers(1, 10))
def test_new_bounds_keep_what_fits(tokens: float, burst: int, fewer: int) -> None:
    bucket = Bucket(1.0, burst, min(tokens, burst), 0.0).bounded(2.0, fewer)
    assert bucket.tokens == min(tokens, burst, fewer)


class Entrance:
    """A gate, and when it admitted whom."""

    def __init__(self, rate: float, burst: int, pairings: int = 100) -> None:
        self.loop = asyncio.get_running_loop()
        self.gate = Gate(Admission(rate, burst, pairings), self.loop)
        self.admitted: list[tuple[str, float]] = []

    def enter(self, name: str, pairing: bool = False) -> tuple[Ticket, int]:
        ticket = Ticket(pairing, lambda: self.admitted.append((name, round(self.loop.time(), 6))))
        return ticket, self.gate.enter(ticket)

    @property
    def names(self) -> str:
        return "".join(name for name, _ in self.admitted)


@in_virtual_time
async def test_gate_admits_in_order_at_its_rate() -> None:
    it = Entrance(5, 1)
    assert [it.enter(name)[1] for name in "abcd"] == [0, 1, 2, 3]
    await asyncio.sleep(10)
    assert it.admitted == [("a", 0), ("b", 0.2), ("c", 0.4), ("d", 0.6)]


@in_virtual_time
async def test_who_leaves_makes_room() -> None:
    it = Entrance(1, 1)
    it.enter("a")
    ticket, _ = it.enter("b")
    it.enter("c")
    it.gate.leave(ticket)
    await asyncio.sleep(1)
    assert it.admitted == [("a", 0), ("c", 1)]
    it.gate.leave(ticket)  # again: nothing


@in_virtual_time
async def test_new_bounds_keep_the_order() -> None:
    it = Entrance(0, 1)
    for name in "abcd":
        it.enter(name)
    await asyncio.sleep(100)
    assert it.names == "a"
    it.gate.change(Admission(10, 1, 1))
    await asyncio.sleep(0.15)
    assert it.names == "ab"
    it.gate.change(Admission(1000, 10, 1))
    await asyncio.sleep(0.1)
    assert it.names == "abcd"


@in_virtual_time
async def test_pairings_are_bounded_and_hold_up_no_login() -> None:
    it = Entrance(1000, 1000, pairings=1)
    first, _ = it.enter("P", pairing=True)
    it.enter("Q", pairing=True)
    it.enter("a")
    assert it.names == "Pa"
    it.gate.leave(first)
    assert it.names == "PaQ"
    it.gate.change(Admission(1000, 1000, 3))
    it.enter("R", pairing=True)
    assert it.names == "PaQR"
