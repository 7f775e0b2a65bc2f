"""What a Baileys session costs in memory, and what a message costs in time, with real clients against the lab server.

    python -m tests.bench.bridge [--sessions 100] [--bridges 4] [--alone 5] [--rate 100] [--senders 20] [--seconds 20]

Starts the lab and a daemon, pairs the sessions, and prints, beside what the machine is: the proportional set size a
session (its actor, and its share of the Node.js processes), the same of one Node.js process a session, and, at the
given rate of messages from some of the sessions to each other, the time from the request to the acknowledgement of the
server and the processor time a message.  ``--seconds 0`` measures memory alone.
"""

import argparse
import asyncio
import itertools
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psutil

from tests.bench import machine
from tests.fixtures_daemon import Daemon, running_daemon
from tests.integration.bridgekit import rig
from tests.labclient import Lab

PAIRING = 8
"""Sessions that are paired side by side."""


def phone(index: int) -> str:
    """A made-up number for each session."""
    return f"1555070{index:04d}"


def configuration(lab: Lab, ids: list[str], bridges: int) -> dict[str, Any]:
    """Sessions spread evenly over that many bridges."""
    return {
        "sessions": [{"id": id, "connector": "baileys"} for id in ids],
        "http": {"requests_per_second": 5000, "max_concurrent": 1000},
        "connectors": {
            "baileys": {
                "websocket_url": lab.ws_url,
                "noise_root_key": lab.root_key,
                "connects_per_second": 100,
                "sessions_per_host": -(-len(ids) // bridges),
            }
        },
    }


async def pair_all(lab: Lab, daemon: Daemon, ids: list[str]) -> None:
    """Some at a time: the first login of a device makes some 800 keys."""
    gate = asyncio.Semaphore(PAIRING)

    async def pair(index: int, id: str) -> None:
        async with gate:
            await daemon.until_status(id, "pairing", 120)
            qr = await daemon.get(f"/api/sessions/{id}/pairing")
            await lab.scan(qr["qr"], phone(index))
            await daemon.until_status(id, "connected", 120)

    await asyncio.gather(*(pair(index, id) for index, id in enumerate(ids)))


def size(of_bytes: float) -> str:
    """In both units that are spoken of."""
    return f"{of_bytes / 2**20:8.2f} MiB {of_bytes / 1e6:8.2f} MB"


def split(daemon: Daemon, ids: list[str]) -> tuple[list[psutil.Process], list[psutil.Process]]:
    """The processes of the session actors, and the bridges."""
    processes = daemon.processes()
    names = {f"wv:{id}"[:15] for id in ids}
    return (
        [process for process in processes if process.name() in names],
        [process for process in processes if any("main.mjs" in word for word in process.cmdline())],
    )


async def alone(lab: Lab, count: int) -> float:
    """Bytes of proportional set size of one Node.js process with one session, the mean of some."""
    async with AsyncExitStack() as stack:
        rigs = [await stack.enter_async_context(rig(lab)) for _ in range(count)]
        for index, it in enumerate(rigs):
            await it.opened(f"alone-{index}", phone(9000 + index))
        return machine.pss_bytes(it.process.pid for it in rigs) / count


async def send_all(daemon: Daemon, ids: list[str], name: str, rate: float, seconds: float) -> list[float]:
    """Milliseconds from each request to its acknowledgement; requests come at that rate, whatever the answers do."""
    loop = asyncio.get_running_loop()
    times: list[float] = []
    routes = itertools.cycle(range(len(ids)))

    async def send(number: int, sender: int) -> None:
        began = loop.time()
        text, to = f"message {number}", phone((sender + 1) % len(ids))
        body = {"id": f"{name}-{number}", "to": to, "text": text, "wait": "60s"}
        path = f"/api/sessions/{ids[sender]}/messages"
        while (answer := await daemon.call("POST", path, json=body))[0] == 202:
            pass  # a machine that can't carry the rate: how late it was is what is asked
        assert answer[0] == 200, answer
        times.append((loop.time() - began) * 1000)

    began = loop.time()
    async with asyncio.TaskGroup() as group:
        for number in range(round(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - loop.time()))
            group.create_task(send(number, next(routes)))
    return times


async def main(options: argparse.Namespace) -> None:
    """Runs the bench."""
    print(machine.describe())
    ids = [f"s-{index:03}" for index in range(options.sessions)]
    with tempfile.TemporaryDirectory(prefix="wv", dir="/tmp") as directory:
        async with Lab(defaults={"preKeyCount": 100}) as lab:
            per_process = await alone(lab, options.alone)
            async with running_daemon(Path(directory), configuration(lab, ids, options.bridges)) as daemon:
                began = time.monotonic()
                await pair_all(lab, daemon, ids)
                took = time.monotonic() - began
                print(f"{len(ids)} sessions in {options.bridges} bridges, paired within {took:.0f} s")
                actors, bridges = split(daemon, ids)
                assert (len(actors), len(bridges)) == (len(ids), options.bridges)
                actor = machine.pss_bytes(process.pid for process in actors) / len(ids)
                share = machine.pss_bytes(process.pid for process in bridges) / len(ids)
                print(f"{'memory a session: actor':<44} {size(actor)}")
                print(f"{'memory a session: share of its bridge':<44} {size(share)}")
                print(f"{'memory a session: all in (target < 12 MB)':<44} {size(actor + share)}")
                print(f"{'one Node.js process a session':<44} {size(per_process)}  (without an actor)")
                if options.seconds == 0:
                    return

                senders = ids[: options.senders]
                await send_all(daemon, senders, "first", options.rate, 2.0 * len(senders) / options.rate)
                before = machine.cpu_seconds(daemon.processes())
                of_bridges = machine.cpu_seconds(bridges)
                times = await send_all(daemon, senders, "bench", options.rate, options.seconds)
                after = machine.cpu_seconds(daemon.processes())
                used = sum(after[pid] - before.get(pid, 0.0) for pid in after)
                bridge = sum(after[pid] - of_bridges[pid] for pid in of_bridges if pid in after)
                what = f"request -> acknowledged, {options.rate:g}/s over {len(senders)} sessions"
                print(machine.row(what, times))
                print(f"{'CPU a message: all processes':<44} {used / len(times) * 1000:8.2f} ms")
                print(f"{'CPU a message: of it the bridges (both ends)':<44} {bridge / len(times) * 1000:8.2f} ms")


if __name__ == "__main__":
    machine.end_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--bridges", type=int, default=4)
    parser.add_argument("--alone", type=int, default=5)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--senders", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0)
    asyncio.run(main(parser.parse_args()))
