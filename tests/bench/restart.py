"""A killed worker: how long until it runs again, here and under supervisord, in the same run.

    python -m tests.bench.restart [--kills 20]

The worker is one real Baileys session against the lab server.  Under supervisord it is a Node.js process of its own
(`tests/lab/worker.mjs`, auth state in files); here it is a session actor (its successor adopts the connection) and, in
rows of its own, the connector process that holds the connection, without and with a spare.  supervisord counts as
running again when the server sees the login; wavigil when its HTTP API shows the session open under a new owner.  Kills
alternate, at a pace at which recovery holds none of them up.
"""

import argparse
import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from actors.connectors.node import find_node
from tests.bench.heal import kill_connector, kill_session, open_fleet
from tests.bench.machine import describe, end_on_sigterm, row
from tests.fixtures_daemon import Daemon, running_daemon, until
from tests.labclient import Lab

BESIDE = Path(sys.executable).parent
PHONE = "15550400001"
PACE = 21.0
"""Seconds from one kill of a process to the next: recovery opens connections at once three times a minute."""
LOADED = 5.0
"""Seconds for a spare to load, at its low priority."""
SETTLED = """\
[supervisord]
nodaemon=true
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid

[unix_http_server]
file={folder}/s.sock

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{folder}/s.sock

[program:worker]
command={node} {worker} {url} {key} {folder}/worker
autorestart=true
"""
"""All else is supervisord's default."""


class Supervisord:
    """supervisord with one worker."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        self._folder = folder
        self._lab = lab
        self._config = folder / "s.conf"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Started, the worker paired and logged in."""
        worker = Path(__file__).parents[1] / "lab" / "worker.mjs"
        self._config.write_text(
            SETTLED.format(
                folder=self._folder, node=find_node().path, worker=worker, url=self._lab.ws_url, key=self._lab.root_key
            )
        )
        process = await asyncio.create_subprocess_exec(
            BESIDE / "supervisord", "-c", self._config, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            qr = self._folder / "worker" / "qr"
            await until("the worker shows its QR", lambda: qr.exists() and qr.read_text(), 30)
            await self._lab.scan(qr.read_text(), PHONE)
            await self._lab.wait_for("login", account=PHONE)
            yield
        finally:
            process.terminate()
            await process.wait()

    async def _said(self) -> str:
        asked = await asyncio.create_subprocess_exec(
            BESIDE / "supervisorctl", "-c", self._config, "status", stdout=asyncio.subprocess.PIPE
        )
        return (await asked.communicate())[0].decode()

    async def _logins(self) -> int:
        return sum(1 for entry in await self._lab.journal("login") if entry.data.get("account") == PHONE)

    async def kill(self) -> float:
        """Milliseconds from the kill of the worker until the server sees it log in."""

        async def stays() -> bool:
            return "RUNNING" in await self._said()

        await until("supervisord takes it for running", stays, 30, every=0.2)
        before = await self._logins()
        pid = int((self._folder / "worker" / "pid").read_text())
        began = time.perf_counter()
        os.kill(pid, signal.SIGKILL)

        async def healed() -> bool:
            return await self._logins() > before

        await until("it is logged in again", healed, 60, every=0.005)
        return (time.perf_counter() - began) * 1000


async def has_spare(daemon: Daemon) -> None:
    """Returns when one is there, and has had the time to load."""
    node = await daemon.node("shard-0/spare")
    await until("it has loaded", lambda: psutil.Process(node["pid"]).create_time() < time.time() - LOADED, 30)


async def compare(plain: Daemon, spare: Daemon, other: Supervisord, kills: int) -> None:
    """Kills in turn, and prints the table with ratios to supervisord's median."""
    names = ("supervisord: worker", "wavigil: session", "wavigil: connector", "wavigil: connector, with a spare")
    rows: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(kills):
        due = time.monotonic() + PACE
        await has_spare(spare)
        figures = (
            await other.kill(),
            await kill_session(plain, "s-0"),
            await kill_connector(plain, ["s-0"]),
            await kill_connector(spare, ["s-0"]),
        )
        for name, took in zip(names, figures, strict=True):
            rows[name].append(took)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    base = statistics.median(rows["supervisord: worker"])
    for name, times in rows.items():
        print(f"{row(name, times)}  {statistics.median(times) / base:5.2f}x")


async def main(kills: int) -> None:
    """Runs the bench."""
    print(describe())
    with tempfile.TemporaryDirectory(prefix="wv") as directory:
        async with Lab(defaults={"preKeyCount": 100}) as lab:
            config: dict[str, Any] = {
                "sessions": [{"id": "s-0", "connector": "baileys"}],
                "connectors": {"baileys": {"websocket_url": lab.ws_url, "noise_root_key": lab.root_key}},
                "supervision": {
                    "session_intensity": {"restarts": 1000, "period": "1m"},
                    "backoff": {"reset_after": "1s"},  # as supervisord, which forgets after a second
                },
                "http": {"requests_per_second": 5000},
            }
            baileys = {**config["connectors"]["baileys"], "spare_after": "500ms"}
            other = Supervisord(Path(directory), lab)
            folders = [Path(directory, name) for name in ("plain", "spare")]
            for folder in folders:
                folder.mkdir()
            async with (
                running_daemon(folders[0], config) as plain,
                running_daemon(folders[1], {**config, "connectors": {"baileys": baileys}}) as spare,
                other.running(),
            ):
                for index, daemon in enumerate((plain, spare)):
                    await open_fleet(lab, daemon, ["s-0"], first=index)
                await compare(plain, spare, other, kills)


if __name__ == "__main__":
    end_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    asyncio.run(main(parser.parse_args().kills))
