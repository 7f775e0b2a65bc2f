"""How long real Baileys sessions take to be open again after a kill -9.

    python -m tests.bench.heal [--sessions 3] [--kills 20]

Starts the lab server and a daemon, pairs the sessions, kills in turn each session's actor and then the connector
process, and prints minimum, median and maximum in milliseconds, as the HTTP API shows it, beside what the machine is.
"""

import argparse
import asyncio
import os
import platform
import signal
import statistics
import tempfile
import time
from pathlib import Path

from tests.bench.machine import end_on_sigterm
from tests.fixtures_daemon import Daemon, running_daemon, until
from tests.labclient import Lab


def phone(index: int) -> str:
    """A made-up number for each session."""
    return f"1555020{index:04d}"


async def open_fleet(lab: Lab, daemon: Daemon, ids: list[str], first: int = 0) -> None:
    """Pairs all sessions, with the numbers from the ``first`` on."""
    for index, id in enumerate(ids, first):
        await daemon.until_status(id, "pairing")
        qr = await daemon.get(f"/api/sessions/{id}/pairing")
        await lab.scan(qr["qr"], phone(index))
        await daemon.until_status(id, "connected")


async def kill_session(daemon: Daemon, id: str) -> float:
    """Milliseconds from the kill until a new actor owns the session and it is open."""
    before = (await daemon.status(id))["statusMetadata"]["generation"]
    pid = (await daemon.node(id))["pid"]
    began = time.perf_counter()
    os.kill(pid, signal.SIGKILL)

    async def healed() -> bool:
        status = await daemon.status(id)
        return bool(status["status"] == "connected" and status["statusMetadata"]["generation"] > before)

    await until(f"{id} is open again", healed, every=0.002)
    return (time.perf_counter() - began) * 1000


async def kill_connector(daemon: Daemon, ids: list[str]) -> float:
    """Milliseconds from the kill until all sessions are open on another connector process."""
    before = {id: (await daemon.status(id))["statusMetadata"]["generation"] for id in ids}
    pid = (await daemon.node("shard-0/connector"))["pid"]
    began = time.perf_counter()
    os.kill(pid, signal.SIGKILL)

    async def healed() -> bool:
        now = [await daemon.status(id) for id in ids]
        return all(
            s["status"] == "connected" and s["statusMetadata"]["generation"] > before[s["sessionId"]] for s in now
        )

    await until("all are open again", healed, 60, every=0.005)
    return (time.perf_counter() - began) * 1000


def row(what: str, times: list[float]) -> str:
    """One line of the table."""
    figures = f"min {min(times):7.0f}  median {statistics.median(times):7.0f}  max {max(times):7.0f} ms"
    return f"{what:<34} n={len(times):<3} {figures}"


async def main(sessions: int, kills: int) -> None:
    """Runs the bench."""
    ids = [f"s-{index}" for index in range(sessions)]
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(f"{machine}, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="wv") as directory:
        async with Lab(defaults={"preKeyCount": 100}) as lab:
            baileys = {"websocket_url": lab.ws_url, "noise_root_key": lab.root_key, "connects_per_second": 50}
            config = {
                "sessions": [{"id": id, "connector": "baileys"} for id in ids],
                "connectors": {"baileys": baileys},
                "supervision": {"session_intensity": {"restarts": 1000, "period": "1m"}},
                "http": {"requests_per_second": 5000},
            }
            async with running_daemon(Path(directory), config) as daemon:
                await open_fleet(lab, daemon, ids)
                logins = len(await lab.journal("login"))
                times = [await kill_session(daemon, ids[index % sessions]) for index in range(kills)]
                print(row("session actor -> open again", times))
                print(f"{'':<34} logins at the server meanwhile: {len(await lab.journal('login')) - logins}")
                times = [await kill_connector(daemon, ids) for _ in range(max(1, kills // 5))]
                print(row(f"connector process -> all {sessions} open", times))


if __name__ == "__main__":
    end_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=3)
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    asyncio.run(main(options.sessions, options.kills))
