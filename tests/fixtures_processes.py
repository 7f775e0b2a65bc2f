"""The process tree of a daemon with simulated sessions: who is who, who is well, what is left."""

import itertools
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from tests.fixtures_daemon import Daemon, until

SESSIONS = [f"sim-{i}" for i in range(4)]
HEARTBEAT_TIMEOUT = 2.0
INFRASTRUCTURE = ["host", "connector", "shard-0", "fleet", "services", "vault", "gateway", "health", "recovery"]
CHAIN = ["root", "admin", "logger", "launcher", "keeper"]
"""Whose loss takes the whole actor system along, but for the logger; that of the keeper has main start afresh."""
VICTIMS = ["sim-0", *INFRASTRUCTURE, *CHAIN]
PATIENCE = 60.0
"""Seconds for everything to be well again, on a machine that is busy with other tests."""


def free_port() -> int:
    """A port for HTTP that stays the same when main starts afresh."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def fleet() -> dict[str, Any]:
    """The configuration: small heartbeats, and no session is parked however often it is killed."""
    return {
        "http": {"listen": f"127.0.0.1:{free_port()}", "requests_per_second": 1000},
        "sessions": [{"id": id, "connector": "simulator"} for id in SESSIONS],
        "supervision": {
            "heartbeat": "200ms",
            "heartbeat_timeout": f"{HEARTBEAT_TIMEOUT:g}s",
            "tick": "100ms",
            "session_intensity": {"restarts": 1000},
            "backoff": {"max": "1s"},
        },
        "connectors": {"simulator": {"heartbeat": "1s", "heartbeat_timeout": "900ms"}},
    }


def nodes(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All nodes of a supervision tree."""
    yield tree
    for child in tree["children"]:
        yield from nodes(child)


def role(process: psutil.Process) -> str:
    """Its name in the tree; empty for a process that is gone, or has no name yet."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return ""
        name = process.name()
        if "actors.connectors.simulator" in process.cmdline():
            return "connector"
        return name.removeprefix("wv:") if name.startswith("wv:") else ""
    except psutil.Error:
        return ""


def roles(daemon: Daemon) -> dict[str, psutil.Process]:
    """Who is who.  One that has just been forked still has its parent's name: of two namesakes the older counts."""
    found: dict[str, psutil.Process] = {}
    for process in daemon.processes():
        name = role(process)
        if name and (name not in found or process.create_time() < found[name].create_time()):
            found[name] = process
    return found


async def find(daemon: Daemon, name: str) -> psutil.Process:
    """The process of that name."""
    process = await until(f"{name} runs", lambda: roles(daemon).get(name), PATIENCE)
    assert isinstance(process, psutil.Process)
    return process


async def well(daemon: Daemon) -> bool:
    """Whether everybody is connected, as far as main knows."""
    try:
        return all([(await daemon.status(id))["status"] == "connected" for id in SESSIONS])
    except (aiohttp.ClientError, AssertionError):  # main is starting afresh
        return False


_messages = itertools.count()


class Sender:
    """Sends one message after another; each is acknowledged, whatever happens to the processes meanwhile."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def send(self, after: object) -> None:
        """One message, under one id until it is acknowledged."""
        body = {"id": f"m-{next(_messages)}", "to": "15550009999", "text": f"after {after}", "wait": "5s"}

        async def acknowledged() -> bool:
            try:
                status, _ = await self._daemon.call("POST", "/api/sessions/sim-0/messages", json=body)
            except aiohttp.ClientError:
                return False
            return status == 200

        await until(f"a message after {after} is acknowledged", acknowledged, PATIENCE)


async def healed(daemon: Daemon, sender: Sender, lost: Iterable[psutil.Process], names: Iterable[str]) -> None:
    """Waits until others have taken the places of the lost, everybody is connected, and a message is acknowledged."""
    lost, names = set(lost), list(names)

    async def replaced() -> bool:
        if not await well(daemon):
            return False
        found = roles(daemon)
        return all(name in found and found[name] not in lost for name in names)

    try:
        await until(f"others in place of {names}", replaced, PATIENCE)
        await sender.send(names)
    except BaseException:
        print(roles(daemon), daemon.log[-6000:])  # noqa: T201 - pytest shows it with the failure
        raise


def alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that still run."""

    def lives(process: psutil.Process) -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    return [process for process in processes if lives(process)]


def of_directory(directory: Path) -> list[psutil.Process]:
    """Whoever has that directory in its command line: everything of a daemon but its connectors."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(directory) in part for part in process.info["cmdline"] or ())
    ]


async def gone(processes: Iterable[psutil.Process], directory: Path, patience: float = 2.0) -> None:
    """Nothing is left of these, and nothing else of that directory.  ``patience`` is a promise to users."""
    processes = list(processes)
    await until("nothing is left", lambda: not alive(processes) and not alive(of_directory(directory)), patience)
