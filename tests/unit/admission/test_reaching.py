"""What a host tells the board of its connections, in virtual time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from actors.admission.board import Ask, Slot, take
from actors.admission.ledger import Ledger
from actors.admission.slots import LONGEST_WAY, SLACK
from actors.connectors.host.reaching import DISK_PAUSE, Reaching
from tests.unit.connectors.simulator.virtual import in_virtual_time


class Disk(Ledger):
    """A board that can't be written for a while."""

    full = False

    def _put(self, raw: bytes, offset: int) -> None:
        if self.full:
            raise OSError("no room")
        super()._put(raw, offset)


@asynccontextmanager
async def host() -> AsyncIterator[tuple[Reaching, Disk, list[float]]]:
    """One that was let in twice, as ``s0`` and ``s1``, and has waited until both slots were there."""
    ledger, reaching, slots = Disk(), Reaching(), list[float]()
    clock = asyncio.get_running_loop().time
    running = asyncio.create_task(reaching.run(lambda: ledger, clock))
    await asyncio.sleep(100)
    for number in range(2):
        slot = await ledger.act(lambda found: take(found, Ask(0, 8, 8), clock(), 50.0))
        assert isinstance(slot, Slot)
        reaching.begins(f"s{number}", slot.at)
        slots.append(slot.at)
    await asyncio.sleep(0.05)
    try:
        yield reaching, ledger, slots
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        ledger.close()


def seen(ledger: Ledger) -> list[float]:
    """By when the connections had reached the server, as the board says."""
    return list(ledger.read().schedule.reach)


@in_virtual_time
async def test_an_answer_is_told_at_once_and_counts_once() -> None:
    async with host() as (reaching, ledger, (first, second)):
        assert seen(ledger) == [first + SLACK, second + SLACK]
        reaching.answered("s1", second + 0.005)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert seen(ledger) == sorted([first + SLACK, second + 0.005])
        reaching.answered("s1", second + 0.5)
        reaching.answered("nobody", second + 0.5)
        await asyncio.sleep(1)
        assert seen(ledger) == sorted([first + SLACK, second + 0.005])


@in_virtual_time
async def test_the_end_of_an_attempt_is_as_good_as_an_answer_and_a_long_way_is_bounded() -> None:
    async with host() as (reaching, ledger, (first, second)):
        await asyncio.sleep(0.6)
        ended = asyncio.get_running_loop().time()
        reaching.over("s0", ended)
        await asyncio.sleep(2)
        assert seen(ledger) == [second + SLACK, ended]
        reaching.answered("s1", asyncio.get_running_loop().time())
        await asyncio.sleep(0.1)
        assert seen(ledger) == [ended, second + LONGEST_WAY]
        assert ended - first < LONGEST_WAY


@in_virtual_time
async def test_what_was_before_the_slot_is_of_another_connection() -> None:
    async with host() as (reaching, ledger, (first, second)):
        reaching.answered("s1", second - 0.001)
        await asyncio.sleep(0.1)
        assert seen(ledger) == [first + SLACK, second + SLACK]
        reaching.answered("s1", second + 0.02)
        await asyncio.sleep(0.1)
        assert seen(ledger) == sorted([first + SLACK, second + 0.02])


@in_virtual_time
async def test_who_does_not_connect_is_not_told_of() -> None:
    async with host() as (reaching, ledger, (first, second)):
        reaching.forget("s0")
        reaching.forget("nobody")
        reaching.answered("s0", first + 0.01)
        reaching.over("s0", first + 0.01)
        await asyncio.sleep(1)
        assert seen(ledger) == [first + SLACK, second + SLACK]


@in_virtual_time
async def test_on_a_full_disk_it_is_told_when_there_is_room() -> None:
    async with host() as (reaching, ledger, (first, second)):
        ledger.full = True
        reaching.answered("s0", first + 0.01)
        await asyncio.sleep(3 * DISK_PAUSE)
        reaching.answered("s1", second + 0.01)
        await asyncio.sleep(3 * DISK_PAUSE)
        ledger.full = False
        await asyncio.sleep(2 * DISK_PAUSE)
        assert seen(ledger) == [first + 0.01, second + 0.01]
