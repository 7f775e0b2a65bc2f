"""Whoever hangs is noticed, killed and replaced; a machine that stood still blames nobody."""

import asyncio
import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures_daemon import Daemon, running_daemon, until
from tests.fixtures_processes import (
    HEARTBEAT_TIMEOUT,
    PATIENCE,
    SESSIONS,
    VICTIMS,
    Sender,
    alive,
    find,
    fleet,
    healed,
    nodes,
    role,
    roles,
    well,
)

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

NOTICED = HEARTBEAT_TIMEOUT + 5.0
"""Seconds within which a hung process must be gone."""
SUPERVISED = {"sim-0", "sim-1", "host", "shard-0", "fleet", "services", "vault", "gateway", "health", "recovery"}
"""Those whose supervisor shows how they ended."""


async def hang_and_heal(daemon: Daemon, sender: Sender, names: list[str]) -> float:
    """Stops them at once; returns the seconds until all of them were gone."""
    victims = [await find(daemon, name) for name in names]
    began = time.monotonic()
    for victim in victims:
        victim.suspend()
    await until(f"{names} are noticed and ended", lambda: not alive(victims), NOTICED)
    noticed = time.monotonic() - began
    await healed(daemon, sender, victims, names)
    found = {node["id"]: node for node in nodes(await daemon.tree())}
    for name in SUPERVISED & set(names):
        assert found[name]["lastExit"]["how"] == "hung", found[name]
    return noticed


async def causes(daemon: Daemon) -> set[str]:
    """Why sessions were closed, up to the first that was told of what became of its connector."""
    found: set[str] = set()
    while not found & {"connector_lost", "connector_faulty"}:
        cause = (await daemon.status(SESSIONS[0]))["statusMetadata"]["cause"]
        found |= {cause["name"]} if cause else set()
        await asyncio.sleep(0.05)
    return found


async def test_whoever_hangs_is_ended_and_replaced(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, fleet()) as daemon:
        await until("all are connected", lambda: well(daemon), PATIENCE)
        sender = Sender(daemon)
        told = asyncio.create_task(causes(daemon))
        connector = await find(daemon, "connector")
        for names in (["sim-1", "recovery", "logger", "connector", "vault"], ["root"], ["admin"], ["launcher"]):
            await hang_and_heal(daemon, sender, names)
        assert f"connector process {connector.pid} is hung" in daemon.log
        async with asyncio.timeout(1):
            assert await told >= {"connector_faulty"}
        await hang_and_heal(daemon, sender, ["keeper"])
        assert (await daemon.stop())[0] == 0


@pytest.mark.full
@pytest.mark.timeout(1200)
async def test_each_in_turn_hangs_and_is_replaced(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, fleet()) as daemon:
        await until("all are connected", lambda: well(daemon), PATIENCE)
        sender = Sender(daemon)
        for name in VICTIMS:
            seconds = await hang_and_heal(daemon, sender, [name])
            print(f"{name}: ended {seconds:.1f} s after it hung")  # noqa: T201 - what -s is for
        assert (await daemon.stop())[0] == 0


async def test_a_logger_that_hangs_hurts_nothing(short_tmp: Path) -> None:
    """As long as it is not noticed."""
    config = fleet()
    config["supervision"]["heartbeat_timeout"] = "10m"
    async with running_daemon(short_tmp, config) as daemon:
        await until("all are connected", lambda: well(daemon), PATIENCE)
        sender = Sender(daemon)
        logger = await find(daemon, "logger")
        logger.suspend()
        victims = [await find(daemon, name) for name in ("sim-0", "vault")]
        for victim in victims:
            victim.kill()
        await healed(daemon, sender, victims, ("sim-0", "vault"))
        assert alive([logger])
        assert (await daemon.stop())[0] == 0


async def stand_still(daemon: Daemon, seconds: float, rng: random.Random) -> None:
    """Stops everybody, main and connectors included, and lets them go on in any order: the same processes live."""
    everything = daemon.processes()
    names = {process: role(process) for process in everything}
    for process in everything:
        process.suspend()
    await asyncio.sleep(seconds)  # the pause is what is tested
    rng.shuffle(everything)
    for process in everything:
        process.resume()
    began = time.monotonic()

    async def others_or_late() -> bool:
        assert alive(everything) == everything, [names[each] for each in set(everything) - set(alive(everything))]
        return time.monotonic() - began > 1.5 * HEARTBEAT_TIMEOUT and await well(daemon)

    await until("all are connected again", others_or_late, PATIENCE)
    assert set(daemon.processes()) == set(everything)


async def settled(daemon: Daemon) -> None:
    """All are connected, and nobody is being started."""
    await until("all are connected", lambda: well(daemon), PATIENCE)
    known: list[Any] = []

    def the_same() -> bool:
        known.append(set(daemon.processes()))
        return len(known) > 3 and known[-1] == known[-3] and set(VICTIMS) <= roles(daemon).keys()

    await until("nobody comes or goes", the_same, PATIENCE, every=0.2)


async def test_a_machine_that_stood_still_blames_nobody(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, fleet()) as daemon:
        await settled(daemon)
        await stand_still(daemon, 3 * HEARTBEAT_TIMEOUT, random.Random(4))
        await Sender(daemon).send("a pause")
        assert "hung" not in daemon.log


@pytest.mark.full
@pytest.mark.timeout(900)
async def test_a_minute_with_the_default_configuration_blames_nobody(short_tmp: Path) -> None:
    config = {key: value for key, value in fleet().items() if key in {"http", "sessions"}}
    async with running_daemon(short_tmp, config) as daemon:
        await settled(daemon)
        for seed in range(3):
            await stand_still(daemon, 60.0, random.Random(seed))
            await Sender(daemon).send(f"pause {seed}")
        assert "hung" not in daemon.log
