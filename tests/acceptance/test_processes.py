"""What holds the process tree together: nothing outlives its parent, and what is killed comes back."""

import asyncio
import contextlib
import random
import time
from pathlib import Path

import psutil
import pytest

from daemon import healing, loading
from tests.fixtures_daemon import Daemon, running_daemon, until
from tests.fixtures_processes import (
    PATIENCE,
    SESSIONS,
    VICTIMS,
    Sender,
    find,
    fleet,
    gone,
    healed,
    well,
)

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

EXIT_PATIENCE = 8.0 + 2.0
"""Seconds: ``supervision.shutdown_timeout`` and a margin."""


async def kill_and_heal(daemon: Daemon, sender: Sender, names: list[str]) -> None:
    """Kills them at once."""
    victims = [await find(daemon, name) for name in names]
    for victim in victims:
        with contextlib.suppress(psutil.NoSuchProcess):  # one before it took it along
            victim.kill()
    await healed(daemon, sender, victims, names)


async def stopped_in_order(daemon: Daemon) -> None:
    everything = daemon.processes()
    status, seconds = await daemon.stop()
    assert status == 0
    assert seconds < EXIT_PATIENCE
    await gone(everything, daemon.directory)


async def test_whoever_is_killed_comes_back(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, fleet()) as daemon:
        await until("all are connected", lambda: well(daemon), PATIENCE)
        main, sender = daemon.process, Sender(daemon)
        for victim in VICTIMS:
            await kill_and_heal(daemon, sender, [victim])
        assert daemon.process is main
        assert main is not None
        assert main.returncode is None
        await second_daemon_is_refused(daemon)
        await stopped_in_order(daemon)


async def second_daemon_is_refused(daemon: Daemon) -> None:
    """Also after everything has been killed once, by whoever holds the lock now."""
    second = Daemon(daemon.directory, daemon.config)
    with pytest.raises(pytest.fail.Exception, match="another wavigil"):
        await second.start()
    assert second.process is not None
    assert await second.process.wait() == 1
    assert await well(daemon)


async def test_whoever_is_killed_together_or_repeatedly_comes_back(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, fleet()) as daemon:
        await until("all are connected", lambda: well(daemon), PATIENCE)
        rng, sender = random.Random(3), Sender(daemon)
        for _ in range(3):
            await kill_and_heal(daemon, sender, ["sim-0"])
        victims = [rng.choice([*VICTIMS, *SESSIONS]) for _ in range(20)]
        for batch in range(0, len(victims), 5):
            await kill_and_heal(daemon, sender, sorted(set(victims[batch : batch + 5])))
        await stopped_in_order(daemon)


@pytest.mark.full
@pytest.mark.timeout(3600)
async def test_two_hundred_random_kills(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, fleet()) as daemon:
        await until("all are connected", lambda: well(daemon), PATIENCE)
        rng, sender = random.Random(200), Sender(daemon)
        fresh_starts: list[float] = []
        for _ in range(200):
            victim = rng.choice([*VICTIMS, *SESSIONS])
            if victim == "keeper":
                now = time.monotonic()
                if sum(now - at < healing.PERIOD for at in fresh_starts) >= len(healing.PAUSES) - 1:
                    continue  # one more, and main rightly gives up
                fresh_starts.append(now)
            await kill_and_heal(daemon, sender, [victim])
        await stopped_in_order(daemon)


async def test_the_death_of_main_leaves_nothing(short_tmp: Path) -> None:
    rng = random.Random(1)
    await main_is_killed(short_tmp, [rng.uniform(0.3, 2.5) for _ in range(2)])


@pytest.mark.full
@pytest.mark.timeout(1200)
async def test_the_death_of_main_leaves_nothing_at_many_moments(short_tmp: Path) -> None:
    rng = random.Random(50)
    await main_is_killed(short_tmp, [rng.uniform(0.0, 6.0) for _ in range(50)])


async def main_is_killed(directory: Path, moments: list[float]) -> None:
    """Seconds after its start, and once when all are connected."""
    daemon = Daemon(directory, fleet())
    try:
        for moment in moments:
            await daemon.spawn()
            await asyncio.sleep(moment)  # the moment is what is varied
            await kill_main(daemon)
        await daemon.start()
        await until("all are connected", lambda: well(daemon), PATIENCE)
        await kill_main(daemon)
        await daemon.start()
        await until("all are connected again", lambda: well(daemon), PATIENCE)
        await Sender(daemon).send("the death of main")
    finally:
        await daemon.destroy()


async def kill_main(daemon: Daemon) -> None:
    assert daemon.process is not None
    everything = daemon.processes()
    daemon.process.kill()
    await daemon.process.wait()
    await gone(everything, daemon.directory)


async def test_a_stop_is_obeyed_while_something_is_lost(short_tmp: Path) -> None:
    await stopped_after_a_kill(short_tmp, random.Random(2), ["root", "keeper", "keeper"])


@pytest.mark.full
@pytest.mark.timeout(1200)
async def test_a_stop_is_obeyed_at_many_moments(short_tmp: Path) -> None:
    await stopped_after_a_kill(short_tmp, random.Random(60), [*VICTIMS, *["keeper"] * 15, *["root"] * 5])


async def stopped_after_a_kill(directory: Path, rng: random.Random, victims: list[str]) -> None:
    """SIGTERM while the actor system restarts, or main starts afresh: exit 0 in time, nothing left."""
    daemon = Daemon(directory, fleet())
    try:
        for victim in victims:
            await daemon.start()
            process = await find(daemon, victim)
            everything = daemon.processes()
            process.kill()
            await asyncio.sleep(rng.uniform(0.0, 2.0))  # the moment is what is varied
            everything += daemon.processes()
            status, seconds = await daemon.stop()
            assert status == 0, (victim, daemon.log[-3000:])
            assert seconds < EXIT_PATIENCE
            await gone(everything, directory)
    finally:
        await daemon.destroy()


async def test_main_gives_up_when_its_keeper_is_lost_too_often(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service manager decides then; nothing is left for it to trip over."""
    before = healing.write_starts((time.monotonic(),) * len(healing.PAUSES))
    monkeypatch.setenv(loading.VARIABLE, before)
    async with running_daemon(short_tmp, fleet()) as daemon:
        everything = daemon.processes()
        (await find(daemon, "keeper")).kill()
        assert daemon.process is not None
        async with asyncio.timeout(PATIENCE):
            assert await daemon.process.wait() == 1
        assert "lost too often" in daemon.log
        await gone(everything, short_tmp)


async def test_what_ignores_the_stop_is_killed_in_time(short_tmp: Path) -> None:
    """A root that hangs at the very moment of the stop: killed after ``shutdown_timeout``, with all below it."""
    config = fleet()
    config["supervision"]["shutdown_timeout"] = "2s"
    async with running_daemon(short_tmp, config) as daemon:
        everything = daemon.processes()
        (await find(daemon, "root")).suspend()
        status, seconds = await daemon.stop()
        assert status == 0
        assert seconds < 2.0 + 2.0
        await gone(everything, short_tmp)
