import asyncio

from actors.connectors.protocol import Admission
from actors.connectors.simulator.admission import Gate, Ticket
from tests.unit.connectors.simulator.virtual import in_virtual_time


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
