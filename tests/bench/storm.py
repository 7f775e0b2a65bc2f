"""How a fleet connects: at its start, after a cut of all sessions, and while the server refuses everybody.

    python -m tests.bench.storm [--sessions 500] [--rate 5] [--outage 600] [--per-host 32]

Real Baileys sessions against the lab server, which notes each connection attempt (`upgrade` in its journal).  Prints
for each stage the most attempts within any second, how long it took until all were open again, and what the bound
would have allowed.  In the outage the server answers every attempt with HTTP 503.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.fleet import statuses, until_open
from tests.bench.machine import describe, end_on_sigterm
from tests.fixtures_daemon import Daemon
from tests.labclient import Lab
from tests.provision import linked, provision

HIGH = "h-"
"""How the ids of the important sessions begin."""


def most_in_a_second(times: list[float]) -> int:
    """The most of them in any second, its end not included."""
    ordered, first, most = sorted(times), 0, 0
    for number, at in enumerate(ordered):
        while ordered[first] <= at - 1:
            first += 1
        most = max(most, number - first + 1)
    return most


async def upgrades(lab: Lab, since: int) -> tuple[list[float], int]:
    """When connections were attempted after that entry of the journal, and its last number."""
    times, seq = [], since
    while entries := await lab.journal("upgrade", since=seq):
        times += [entry.t / 1000 for entry in entries]
        seq = entries[-1].seq
    return times, seq


async def stage(name: str, lab: Lab, since: int, began: float, options: argparse.Namespace) -> int:
    """Prints what the server saw since ``began``; returns the journal's last number."""
    times, seq = await upgrades(lab, since)
    took, ideal = time.time() - began, options.sessions / options.rate
    most = most_in_a_second(times)
    print(
        f"{name:<10} {len(times)} attempts, at most {most} within a second (bound {options.rate:g}), "
        f"{took:.1f} s, {took / ideal:.2f} of {ideal:.0f} s"
    )
    return seq


async def opened(daemon: Daemon) -> list[str]:
    """The sessions in the order in which they opened."""
    found = await statuses(daemon)
    return [s["sessionId"] for s in sorted(found, key=lambda s: str(s["statusMetadata"]["since"]))]


async def main(options: argparse.Namespace) -> None:
    """Runs the bench."""
    print(describe(), flush=True)
    high = options.sessions // 10
    ids = [f"{HIGH if n < high else 's-'}{n:04d}" for n in range(options.sessions)]
    phones = {id: f"1555040{number:04d}" for number, id in enumerate(ids)}
    async with Lab(defaults={"preKeyCount": 100}) as lab:
        with tempfile.TemporaryDirectory(prefix="wv") as name:
            config: dict[str, Any] = {
                "sessions": [
                    {"id": id, "connector": "baileys", "labels": {"priority": "high"} if id.startswith(HIGH) else {}}
                    for id in ids
                ],
                "connectors": {
                    "baileys": {
                        "websocket_url": lab.ws_url,
                        "noise_root_key": lab.root_key,
                        "connects_per_second": options.rate,
                        "sessions_per_host": options.per_host,
                    }
                },
                "http": {"requests_per_second": 5000},
            }
            daemon = Daemon(Path(name), config)
            await provision(daemon.state_dir, await linked(lab, phones))
            try:
                began = time.time()
                await daemon.start()
                await until_open(daemon, options.sessions, 900)
                seq = await stage("start", lab, 0, began, options)
                began = time.time()
                await lab.fault("reset", target="*")
                await asyncio.sleep(2)
                await until_open(daemon, options.sessions, 900)
                seq = await stage("cut", lab, seq, began, options)
                if high:
                    first = [id.startswith(HIGH) for id in (await opened(daemon))[:high]]
                    print(f"{'':<10} of the first {high} that were back {sum(first)} are important")
                if options.outage:
                    began = time.time()
                    await lab.connect_rules({"kind": "http", "status": 503})
                    await lab.fault("reset", target="*")
                    await asyncio.sleep(options.outage)  # a bench measures a stretch of time
                    times, seq = await upgrades(lab, seq)
                    print(
                        f"{'outage':<10} {len(times)} attempts in {options.outage:.0f} s: "
                        f"{len(times) / options.outage:.3f} a second, at most {most_in_a_second(times)} within a second"
                    )
                    began = time.time()
                    await lab.connect_rules()
                    await until_open(daemon, options.sessions, 900)
                    await stage("afterwards", lab, seq, began, options)
            finally:
                await daemon.stop()
                await daemon.destroy()


if __name__ == "__main__":
    end_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=500)
    parser.add_argument("--rate", type=float, default=5.0, help="bound on connects per second")
    parser.add_argument("--outage", type=float, default=600.0, help="seconds; 0: none")
    parser.add_argument("--per-host", type=int, default=32)
    asyncio.run(main(parser.parse_args()))
