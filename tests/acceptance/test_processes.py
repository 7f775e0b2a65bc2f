"""What holds the process tree together: nothing outlives its parent, what is lost comes back, strangers run nothing."""

import os
import pickle
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fixtures_daemon import Daemon, running_daemon, until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

SESSIONS = [f"sim-{i}" for i in range(4)]
FLEET: dict[str, Any] = {
    "sessions": [{"id": id, "connector": "simulator"} for id in SESSIONS],
    "supervision": {"heartbeat": "200ms", "heartbeat_timeout": "2s", "tick": "100ms"},
    "connectors": {"simulator": {"heartbeat": "1s", "heartbeat_timeout": "900ms"}},
}


async def all_connected(daemon: Daemon) -> None:
    for id in SESSIONS:
        await daemon.until_status(id, "connected")


def nodes(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield tree
    for child in tree["children"]:
        yield from nodes(child)


async def test_whoever_is_killed_comes_back(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, FLEET) as daemon:
        await all_connected(daemon)
        for victim in (
            "sim-0",
            "vault",
            "gateway",
            "host",
            "health",
            "recovery",
            "shard-0",
            "services",
            "fleet",
            "wv:logger",
            "root",
            "wv:admin",
            "wv:launcher",
        ):
            await killed_and_replaced(daemon, victim)
        assert (await daemon.stop())[0] == 0


async def killed_and_replaced(daemon: Daemon, victim: str) -> None:
    """Thespian's own processes are told by their names, actors by their places in the tree."""
    if victim.startswith("wv:"):
        process = next(p for p in daemon.processes() if p.name() == victim)
        process.kill()
        await until("it is gone", lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
        await until("the actors are up", daemon.is_ready, 20)
    else:
        killed = await daemon.kill(victim)

        async def replaced() -> bool:
            status, tree = await daemon.call("GET", "/api/supervision")
            found = [node for node in nodes(tree) if node["id"] == victim] if status == 200 else []
            return bool(found) and found[0]["pid"] not in {None, killed} and found[0]["state"] == "running"

        await until(f"another {victim}", replaced, 30)
    await all_connected(daemon)
    status, problem = await daemon.call(
        "POST", "/api/sessions/sim-0/messages", json={"to": "15550009999", "text": "still here", "wait": "20s"}
    )
    assert status == 200, (victim, problem)


async def test_a_hung_actor_is_killed_and_restarted(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, FLEET) as daemon:
        await all_connected(daemon)
        for victim in ("sim-1", "recovery"):
            stopped = await daemon.kill(victim, signal.SIGSTOP)

            async def replaced(victim: str = victim, stopped: int = stopped) -> dict[str, Any] | None:
                node = await daemon.node(victim)
                return node if node["pid"] != stopped else None

            began = time.monotonic()
            node = await until(f"another {victim}", replaced, 20)
            assert time.monotonic() - began < 2 + 5
            assert node["lastExit"]["how"] == "hung"


@pytest.mark.parametrize("victim", ["main", "wv:keeper"])
async def test_nothing_outlives_main_or_keeper(short_tmp: Path, victim: str) -> None:
    async with running_daemon(short_tmp, FLEET) as daemon:
        await all_connected(daemon)
        everything = daemon.processes()
        assert daemon.process is not None
        pid = daemon.process.pid if victim == "main" else next(p.pid for p in everything if p.name() == victim)
        os.kill(pid, signal.SIGKILL)

        def left() -> list[psutil.Process]:
            return [p for p in everything if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]

        await until("nothing is left", lambda: not left(), 2.5)
        await daemon.process.wait()
        await daemon.start()
        await all_connected(daemon)


class Exploit:
    """Runs a command in whoever unpickles it."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (self.command,)


async def test_a_pickle_sent_to_any_port_runs_nothing(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, FLEET) as daemon:
        await all_connected(daemon)
        mark = short_tmp / "pwned"
        body = pickle.dumps(Exploit(f"touch {mark}"))
        listening = {
            connection.laddr
            for process in daemon.processes()
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }
        assert len(listening) > len(SESSIONS)
        assert {address.ip for address in listening} == {"127.0.0.1"}
        for address in listening:
            for packet in (b"%d>" % len(body) + body, body, b"\x80" * 100):
                with socket.create_connection((address.ip, address.port), 2) as attacker:
                    attacker.sendall(packet)
        before = {node["id"]: node["pid"] for node in nodes(await daemon.tree())}
        for id in SESSIONS:
            await daemon.until_status(id, "connected")
        assert not mark.exists()
        assert {node["id"]: node["pid"] for node in nodes(await daemon.tree())} == before


async def test_a_second_daemon_is_refused(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, FLEET) as daemon:
        second = Daemon(short_tmp, daemon.config)
        with pytest.raises(pytest.fail.Exception, match="another wavigil"):
            await second.start()
        assert second.process is not None
        assert await second.process.wait() == 1
        await all_connected(daemon)
