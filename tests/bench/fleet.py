"""What a large fleet costs and how quick it is.

    python -m tests.bench.fleet [--sessions 1000] [--connector simulator|baileys] [--idle 60] [--faults 100] [--ksm 180]
    python -m tests.bench.fleet --idle 0 --no-memory --requests 0 --kills 0     # how soon faults are shown, and no more

Starts a daemon with that many sessions (Baileys ones against the lab server, paired beforehand) and prints: the time
until all are open and the rate of connects meanwhile, memory, processor time when nothing happens, the latency of
HTTP requests, the latency from a fault to what the API shows, the time to heal kills, and that of an orderly stop.

As root it lets the machine's ksmd run for ``--ksm`` seconds, 0 to leave it alone, and measures memory once more; then
ksmd is as it was.  Who kills the bench leaves it on: ``echo 2 > /sys/kernel/mm/ksm/run``.
"""

import argparse
import asyncio
import os
import random
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from tests.bench.campaign.drill import Simulated
from tests.bench.campaign.visibility import visibility
from tests.bench.machine import can_merge_memory, cpu_seconds, describe, end_on_sigterm, merging_memory, pss_bytes, row
from tests.fixtures_daemon import Daemon, until
from tests.labclient import Lab

BULK = "/api/whatsapp-status/bulk?limit=1000"


def configuration(ids: list[str], connector: str, rate: int, lab: Lab | None) -> dict[str, Any]:
    """The fleet."""
    connectors: dict[str, Any] = {connector: {"connects_per_second": rate}}
    if lab is not None:
        connectors[connector] |= {"websocket_url": lab.ws_url, "noise_root_key": lab.root_key}
    return {
        "sessions": [{"id": id, "connector": connector} for id in ids],
        "connectors": connectors,
        "http": {"requests_per_second": 5000},
    }


async def statuses(daemon: Daemon, query: str = "") -> list[dict[str, Any]]:
    """All sessions, page after page."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = await daemon.get(f"{BULK}{query}{cursor}")
        found += page["sessions"]
        if page["nextCursor"] is None:
            return found
        cursor = f"&cursor={page['nextCursor']}"


async def until_open(daemon: Daemon, sessions: int, patience: float) -> None:
    """Waits until every session is connected."""

    async def all_open() -> bool:
        summary = await daemon.get("/api/whatsapp-status/health-summary")
        return bool(summary["byStatus"].get("connected", 0) == sessions)

    await until(f"all {sessions} are open", all_open, patience, every=0.5)  # each look costs the daemon some


def connect_rate(found: list[dict[str, Any]]) -> float:
    """The most connections that were opened within one second."""
    times = sorted(datetime.fromisoformat(s["statusMetadata"]["since"]).timestamp() for s in found)
    return max(sum(1 for other in times if at <= other < at + 1) for at in times)


async def idle(daemon: Daemon, seconds: float) -> None:
    """Processor time while nobody asks for anything."""
    processes = daemon.processes()
    before = cpu_seconds(processes)
    began = time.monotonic()
    await asyncio.sleep(seconds)  # a bench measures a stretch of time
    took = time.monotonic() - began
    after = cpu_seconds(processes)
    used: dict[str, float] = {}
    for process in processes:
        if process.pid in before and process.pid in after:
            kind = role(process)
            used[kind] = used.get(kind, 0.0) + after[process.pid] - before[process.pid]
    print(f"idle for {took:.0f} s: {sum(used.values()) / took:.3f} cores")
    for kind, cpu in sorted(used.items(), key=lambda item: -item[1]):
        print(f"    {kind:<20} {cpu / took:.3f}")


def role(process: psutil.Process) -> str:
    """What kind of process this is, from its name."""
    try:
        name = process.name()
        words = process.cmdline()
    except psutil.Error:
        return "gone"
    if "actors.connectors.simulator" in words or name == "node":
        return "connectors"
    if name.startswith("wv:shard-"):
        return "shard supervisors"
    if name == "wv:host":
        return "hosts"
    if name.startswith("wv:s-"):
        return "sessions"
    return name


def memory(daemon: Daemon, sessions: int) -> None:
    """Proportional memory by kind of process."""
    kinds: dict[str, list[int]] = {}
    for process in daemon.processes():
        kinds.setdefault(role(process), []).append(process.pid)
    sizes = {kind: pss_bytes(pids) for kind, pids in kinds.items()}
    total = sum(sizes.values())
    count = sum(len(pids) for pids in kinds.values())
    print(f"memory: {total / 2**30:.2f} GiB PSS in {count} processes, {total / sessions / 2**20:.2f} MiB a session")
    for kind, size in sorted(sizes.items(), key=lambda item: -item[1])[:6]:
        print(f"    {kind:<20} {len(kinds[kind]):>5} processes {size / 2**20:>8.0f} MiB")


async def timed(act: Callable[[], Awaitable[Any]], rounds: int) -> list[float]:
    """Milliseconds of each of some rounds."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        await act()
        times.append((time.perf_counter() - began) * 1000)
    return times


async def http(daemon: Daemon, ids: list[str], requests: int, rng: random.Random) -> None:
    """Latency of reads."""
    one = await timed(lambda: daemon.get(f"/api/whatsapp-status/{rng.choice(ids)}"), requests)
    print(row("GET one status", one))
    print(row(f"GET bulk of {len(ids)}", await timed(lambda: daemon.get(BULK), 30)))
    print(row("GET health-summary", await timed(lambda: daemon.get("/api/whatsapp-status/health-summary"), 30)))
    print(row("GET /metrics", await timed(lambda: daemon.get("/metrics"), 30)))
    print(row("GET /api/supervision", await timed(lambda: daemon.get("/api/supervision"), 5)))


async def faults(daemon: Daemon, ids: list[str], options: argparse.Namespace, rng: random.Random) -> None:
    """From the moment a connection ended (as the connector stamps it) until HTTP shows it."""
    world = Simulated(daemon.state_dir)
    try:
        for sentence in await visibility(daemon, world, ids, options.faults, options.fault_rate, rng):
            print(f"    FALLS SHORT  {sentence}")
    finally:
        await world.close()


async def kills(daemon: Daemon, count: int, sessions: int, rng: random.Random) -> None:
    """Kills that many session actors one after the other, then waits until all is well."""

    def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield node
        for child in node["children"]:
            yield from nodes(child)

    tree = await daemon.get("/api/supervision")
    victims = [node["pid"] for node in nodes(tree) if node["kind"] == "session" and node["pid"]]
    began = time.monotonic()
    for pid in rng.sample(victims, min(count, len(victims))):
        os.kill(pid, signal.SIGKILL)

    async def healed() -> bool:
        tree = await daemon.get("/api/supervision")
        found = [node for node in nodes(tree) if node["kind"] == "session"]
        return len(found) == sessions and all(n["state"] == "running" and n["pid"] for n in found)

    await until("all actors are back", healed, 60, every=0.2)
    await until_open(daemon, sessions, 60)
    print(f"{count} session actors killed at once: all running and open again after {time.monotonic() - began:.1f} s")


async def paired(directory: Path, lab: Lab, ids: list[str], config: dict[str, Any]) -> None:
    """Pairs every session with the lab server, in a daemon of its own that is stopped again."""
    quick = {**config, "connectors": {"baileys": {**config["connectors"]["baileys"], "connects_per_second": 50}}}
    daemon = Daemon(directory, quick)
    try:
        await daemon.start()
        for number, id in enumerate(ids):
            await daemon.until_status(id, "pairing", 120)
            qr = await daemon.get(f"/api/sessions/{id}/pairing")
            await lab.scan(qr["qr"], f"1555030{number:04d}")
            await daemon.until_status(id, "connected", 120)
        await daemon.stop()
    finally:
        await daemon.destroy()


async def main(options: argparse.Namespace) -> None:
    """Runs the bench."""
    rng = random.Random(options.seed)
    ids = [f"s-{index:04d}" for index in range(options.sessions)]
    rate = options.rate or (50 if options.connector == "simulator" else 5)
    print(describe())
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wv")))
        lab = None
        if options.connector == "baileys":
            lab = await stack.enter_async_context(Lab(defaults={"preKeyCount": 100}))
        config = configuration(ids, options.connector, rate, lab)
        if lab is not None:
            await paired(directory, lab, ids, config)
        daemon = Daemon(directory, config)
        stack.push_async_callback(daemon.destroy)
        began = time.monotonic()
        await daemon.start()
        ready = time.monotonic() - began
        await until_open(daemon, options.sessions, 300)
        opened = time.monotonic() - began
        print(
            f"{options.sessions} {options.connector} sessions: ready after {ready:.1f} s, all open after {opened:.1f} s"
        )
        print(f"most connections opened within a second: {connect_rate(await statuses(daemon)):.0f} (bound {rate})")
        if options.idle:
            await idle(daemon, options.idle)
        if options.memory:
            memory(daemon, options.sessions)
        if options.ksm and not can_merge_memory():
            print("whether the kernel shares equal pages can't be measured: that needs root and a kernel with KSM")
        elif options.ksm:
            stack.enter_context(merging_memory())
            await asyncio.sleep(options.ksm)
            print(f"the same after {options.ksm:.0f} s with ksmd running:")
            memory(daemon, options.sessions)
        if options.requests:
            await http(daemon, ids, options.requests, rng)
        if options.faults and options.connector == "simulator":
            await faults(daemon, ids, options, rng)
        if options.kills:
            await kills(daemon, options.kills, options.sessions, rng)
        status, seconds = await daemon.stop()
        print(f"SIGTERM: exit {status} after {seconds:.1f} s, {len(daemon.remaining())} processes left")


if __name__ == "__main__":
    end_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--connector", choices=["simulator", "baileys"], default="simulator")
    parser.add_argument("--rate", type=int, help="bound on connects per second; default: the daemon's own")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds of idleness to measure; 0: none")
    parser.add_argument(
        "--ksm", type=float, default=180.0, help="seconds to let the kernel share equal pages; needs root; 0: none"
    )
    parser.add_argument("--memory", action=argparse.BooleanOptionalAction, default=True, help="measure memory")
    parser.add_argument("--requests", type=int, default=500, help="GETs of one status; 0: no requests are measured")
    parser.add_argument(
        "--faults", type=int, default=100, help="simulated sessions that lose their connection; 0: none"
    )
    parser.add_argument("--fault-rate", type=float, default=2.0, help="of these, in a second")
    parser.add_argument("--kills", type=int, default=50, help="session actors killed at once; 0: none")
    parser.add_argument("--seed", type=int, default=1)
    asyncio.run(main(parser.parse_args()))
