"""Hours of trouble in half of one: does anything grow?

    python -m tests.bench.soak [--minutes 30] [--sessions 300] [--seed 1]        (make soak)

A daemon with simulated sessions that suffer every kind of trouble that a campaign knows (`tests.bench.recovery`), each
second one; sends that go on all the time; and a random kill each few seconds: session actors mostly, now and then a
host, a connector, a service, a shard, the fleet, the services' supervisor, the root.  Each minute the operator helps
whom only he can help, and it waits until all is well and every accepted send acknowledged, and counts processes,
descriptors, memory (PSS), threads and files, and the sizes of the databases.  It ends with status 1 if a figure of the
last third is above that of the second by more than its tolerance, if a send or an event of an outbox was lost, or if
something did not heal.
"""

import argparse
import asyncio
import itertools
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from actors.runtime.rpc import RemoteError
from tests.bench.campaign.drill import Simulated
from tests.bench.campaign.kinds import KINDS, Kind
from tests.bench.campaign.watch import Watch
from tests.bench.fleet import statuses, until_open
from tests.bench.machine import describe, end_on_sigterm, pss_bytes
from tests.fixtures_daemon import Daemon, running_daemon, until

KILL_EVERY = 4.0
TROUBLE_EVERY = 1.0
SEND_EVERY = 0.5
LOOK_EVERY = 60.0
HELP_EVERY = 2.0
VICTIMS = (
    ("session", 20),
    ("connector-host", 3),
    ("connector-process", 3),
    ("service", 3),
    ("supervisor", 1),
)
"""Kinds of the tree, and how often each is chosen."""
TOLERANCE = {
    "processes": 0.02,
    "descriptors": 0.03,
    "threads": 0.05,
    "pss_mib": 0.05,
    "files": 0.02,
    "events_mib": 0.05,
}
"""Growth from the second third to the last that is still flat, as a share."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was counted once."""

    processes: int
    descriptors: int
    threads: int
    pss_mib: float
    files: int
    events_mib: float
    """Databases in which everything is kept for five minutes here: shards and vault."""
    kept_mib: float
    """Databases that keep a history for hours, or a ledger for days, at the least: they grow by design."""

    def __str__(self) -> str:
        """One line."""
        return "  ".join(f"{field.name} {getattr(self, field.name):8.1f}" for field in fields(self))


def count(daemon: Daemon) -> Look:
    """Looks at every process of the daemon."""
    descriptors = threads = 0
    processes = daemon.processes()
    for process in processes:
        with suppress(psutil.Error):
            descriptors += process.num_fds()
            threads += process.num_threads()
    files = [file for file in daemon.state_dir.rglob("*") if file.is_file()]
    sizes = Counter[bool]()
    for file in files:
        if ".db" in file.name:
            sizes[file.name.startswith(("shard-", "vault"))] += file.stat().st_size
    pss = pss_bytes(process.pid for process in processes)
    return Look(
        len(processes), descriptors, threads, pss / 2**20, len(files), sizes[True] / 2**20, sizes[False] / 2**20
    )


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A tree, node by node."""
    yield node
    for child in node["children"]:
        yield from nodes(child)


class Soak:
    """One run."""

    def __init__(self, daemon: Daemon, ids: list[str], world: Simulated, rng: random.Random) -> None:
        self._daemon = daemon
        self._ids = ids
        # what waits to be sent fails with a session that is blocked or loses its device: these send nothing
        self._senders = ids[: len(ids) // 2]
        self._others = ids[len(ids) // 2 :]
        self._world = world
        self._rng = rng
        self.troubles: dict[str, int] = {}
        self._numbers = itertools.count()
        self.kills: dict[str, int] = {}
        self.sent: dict[str, str] = {}
        """Accepted sends that are not acknowledged yet: id -> session."""
        self.accepted = 0

    async def kill(self) -> None:
        """One random process."""
        kind = self._rng.choices([kind for kind, _ in VICTIMS], [weight for _, weight in VICTIMS])[0]
        status, tree = await self._daemon.call("GET", "/api/supervision")
        found = [n["pid"] for n in nodes(tree) if n["kind"] == kind and n["pid"]] if status == 200 else []
        if found:
            with suppress(ProcessLookupError):
                os.kill(self._rng.choice(found), signal.SIGKILL)
                self.kills[kind] = self.kills.get(kind, 0) + 1

    async def killing(self) -> None:
        """Kills for ever."""
        while True:
            await asyncio.sleep(KILL_EVERY * self._rng.uniform(0.5, 1.5))
            await self.kill()

    async def troubling(self) -> None:
        """Troubles for ever."""
        kinds = [kind for kind in KINDS if kind.scope == "session"]
        while True:
            await asyncio.sleep(TROUBLE_EVERY * self._rng.uniform(0.5, 1.5))
            kind = self._rng.choice(kinds)
            session = self._rng.choice(self._ids if kind.after == "heals" else self._others)
            await self._strike(kind, session)

    async def _strike(self, kind: Kind, session: str) -> None:
        with suppress(OSError, RemoteError, TimeoutError):  # its process is being restarted
            await self._world.strike(kind, session)
            self.troubles[kind.after] = self.troubles.get(kind.after, 0) + 1

    async def helping(self) -> None:
        """The operator's part, for ever: whatever lasts is ended, who rests is told to go on, or paired again."""
        while True:
            with suppress(aiohttp.ClientError, AssertionError, OSError, RemoteError, TimeoutError):
                for status in await statuses(self._daemon):
                    if status["state"] != "open":
                        await self._help(status["sessionId"], status["state"])
            await asyncio.sleep(HELP_EVERY)

    async def _help(self, session: str, state: str) -> None:
        await self._world.cure(session)
        if state == "pairing":
            _, body = await self._daemon.call("GET", f"/api/sessions/{session}/pairing?wait=2s")
            if isinstance(body, dict) and "qr" in body:
                await self._world.scan(session, body["qr"])
        elif state in {"halted", "blocked"}:
            await self._daemon.call("POST", f"/api/whatsapp-status/{session}/reconnect")

    async def sending(self) -> None:
        """Sends for ever; what is refused was not accepted."""
        while True:
            await asyncio.sleep(SEND_EVERY)
            number = next(self._numbers)
            session, id = self._rng.choice(self._senders), f"soak-{number}"
            body = {"id": id, "to": "15550009999", "text": f"text {number}", "wait": "0s"}
            status, _ = await self._daemon.call("POST", f"/api/sessions/{session}/messages", json=body)
            if status in {200, 202}:
                self.sent[id] = session
                self.accepted += 1

    async def well(self) -> None:
        """Waits until every actor runs and every session is open; the operator does his part meanwhile."""
        await self._world.cure_all()
        helping = asyncio.create_task(self.helping())
        try:
            await self._well()
        finally:
            helping.cancel()
            await asyncio.gather(helping, return_exceptions=True)

    async def _well(self) -> None:

        async def all_run() -> bool:
            status, tree = await self._daemon.call("GET", "/api/supervision")
            if status != 200:
                return False
            found = [node for node in nodes(tree) if node["kind"] == "session"]
            return len(found) == len(self._ids) and all(n["state"] == "running" for n in found)

        await until("all actors run", all_run, 120, every=0.5)
        await until_open(self._daemon, len(self._ids), 180)

    async def settle(self, patience: float) -> list[str]:
        """Waits until the server acknowledged every accepted send; returns the ids of those that it did not."""
        end = time.monotonic() + patience
        while self.sent and time.monotonic() < end:
            for id, session in list(self.sent.items()):
                status, send = await self._daemon.call("GET", f"/api/sessions/{session}/messages/{id}")
                if status == 200 and send["state"] in {"acknowledged", "delivered", "read"}:
                    del self.sent[id]
            await asyncio.sleep(0.2)
        return sorted(self.sent)


async def rounds(soak: Soak, daemon: Daemon, minutes: float) -> list[Look]:
    """Trouble, then a look, until the time is over or a send is lost."""
    looks: list[Look] = []
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end:
        trouble = {asyncio.create_task(work()) for work in (soak.killing, soak.sending, soak.troubling)}
        done, _ = await asyncio.wait(trouble, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
        for task in trouble:
            task.cancel()
        await asyncio.gather(*trouble - done, return_exceptions=True)
        for task in done:
            task.result()  # it goes on for ever: it failed
        await soak.well()
        if lost := await soak.settle(120):
            print(f"accepted and not acknowledged: {lost[:5]}")
            break
        looks.append(count(daemon))
        print(f"{len(looks):>3}  {looks[-1]}", flush=True)
    return looks


def verdict(looks: list[Look]) -> list[str]:
    """What grew.  The first third is warming up.  Pure."""
    third = len(looks) // 3
    grown = []
    for name, tolerance in TOLERANCE.items():
        before = statistics.median(getattr(look, name) for look in looks[third : 2 * third])
        after = statistics.median(getattr(look, name) for look in looks[2 * third :])
        growth = after / before - 1
        print(f"{name:<12} {before:10.1f} -> {after:10.1f}  {growth:+.1%} (flat: up to {tolerance:.0%})")
        if growth > tolerance:
            grown.append(name)
    print(f"kept for days: {looks[third].kept_mib:.1f} -> {looks[-1].kept_mib:.1f} MiB in the last two thirds")
    return grown


async def main(options: argparse.Namespace) -> int:
    """Runs it; the exit status."""
    print(describe())
    ids = [f"s-{index:04d}" for index in range(options.sessions)]
    config = {
        "sessions": [{"id": id, "connector": "simulator"} for id in ids],
        "connectors": {"simulator": {"profile": {"drop_rate_per_hour": 2}}},
        "http": {"requests_per_second": 5000},
        "sends": {"keep": "5m"},
        "events": {"keep": "5m"},
    }
    with tempfile.TemporaryDirectory(prefix="wv") as directory:
        async with running_daemon(Path(directory), config) as daemon:
            await until_open(daemon, options.sessions, 300)
            watch, world = Watch(daemon.state_dir), Simulated(daemon.state_dir)
            watching = asyncio.create_task(watch.run())
            soak = Soak(daemon, ids, world, random.Random(options.seed))
            looks = await rounds(soak, daemon, options.minutes)
            grown = verdict(looks)
            watching.cancel()
            await asyncio.gather(watching, world.close(), return_exceptions=True)
            watch.close()
            status, seconds = await daemon.stop()
            left = daemon.remaining()
    print(f"troubles: {soak.troubles}; transitions {len(watch.seen)}, lost: {watch.gaps or 'none'}")
    print(f"killed: {soak.kills}; {soak.accepted} sends accepted, not acknowledged: {len(soak.sent)}")
    print(f"SIGTERM: exit {status} after {seconds:.1f} s, {len(left)} processes left; grown: {grown or 'nothing'}")
    return int(bool(grown or soak.sent or watch.gaps or left or status))


if __name__ == "__main__":
    end_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--sessions", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    sys.exit(asyncio.run(main(parser.parse_args())))
