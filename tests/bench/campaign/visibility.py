"""How soon HTTP shows what happens to a session: troubles that are independent of each other, up to five a second."""

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import datetime

from tests.bench.campaign.kinds import BY_NAME
from tests.bench.campaign.world import World
from tests.bench.machine import percentile, row
from tests.fixtures_daemon import Daemon

MEDIAN_MS = 100.0
MOST_MS = 500.0
LOOK_S = 0.01
PATIENCE = 10.0


async def visibility(
    daemon: Daemon, world: World, ids: Sequence[str], count: int, rate: float, rng: random.Random
) -> list[str]:
    """Prints the figures; returns what falls short of what is promised."""
    victims = rng.sample(list(ids), min(count, len(ids)))
    drop = BY_NAME["fin"]
    tasks = []
    began = time.monotonic()
    for number, session in enumerate(victims):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        tasks.append(asyncio.create_task(_shown(daemon, session, await world.strike(drop, session))))
    times = [took * 1000 for took in await asyncio.gather(*tasks)]
    print(row(f"fault -> HTTP, {rate:g} faults/s, looked for every 10 ms", times))
    found = []
    if percentile(times, 0.5) > MEDIAN_MS:
        found.append(f"half of the faults are shown later than {MEDIAN_MS:g} ms")
    if max(times) > MOST_MS:
        found.append(f"a fault was shown only after {max(times):.0f} ms")
    return found


async def _shown(daemon: Daemon, session: str, at: float) -> float:
    """Seconds until the API shows a loss from then on; ``PATIENCE`` if it never does."""
    while time.time() - at < PATIENCE:
        cause = (await daemon.status(session))["statusMetadata"]["cause"]
        if (
            cause is not None
            and cause["at"] is not None
            and datetime.fromisoformat(cause["at"]).timestamp() >= at - 0.002
        ):
            return time.time() - at
        await asyncio.sleep(LOOK_S)
    return PATIENCE
