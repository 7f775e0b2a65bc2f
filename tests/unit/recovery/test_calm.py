"""How long the ledger waits for those who ask, in virtual time."""

import asyncio

from actors.recovery.calm import LONGEST, QUIET, Calm
from tests.unit.connectors.simulator.virtual import in_virtual_time


async def waited(calm: Calm) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await calm.wait()
    return round(loop.time() - began, 6)


@in_virtual_time
async def test_where_nobody_asks_it_goes_on_at_once() -> None:
    calm = Calm()
    assert await waited(calm) == 0
    calm.asked()
    assert await waited(calm) == QUIET
    assert await waited(calm) == 0


@in_virtual_time
async def test_it_waits_until_the_last_has_asked_but_not_for_ever() -> None:
    calm = Calm()

    async def ask(times: int) -> None:
        for _ in range(times):
            calm.asked()
            await asyncio.sleep(QUIET / 2)

    asking = asyncio.create_task(ask(4))
    await asyncio.sleep(0)
    assert await waited(calm) == 3 * QUIET / 2 + QUIET
    await asking
    asking = asyncio.create_task(ask(100))
    await asyncio.sleep(0)
    assert await waited(calm) == LONGEST
    asking.cancel()
