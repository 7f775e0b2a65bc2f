"""The disk of the state directory fills up while the daemon runs: nothing is lost, all is told, it heals by itself."""

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from config.loader import check
from daemon.prepare import StartError, prepare
from tests.fixtures_daemon import COMMAND, Daemon, running_daemon, until

pytestmark = [pytest.mark.acceptance, pytest.mark.needs_root, pytest.mark.timeout(240)]

PEER = "15550100002"
CONFIG: dict[str, Any] = {
    "sessions": [
        {"id": "alpha", "connector": "simulator", "simulator": {"phone": "15550100001"}},
        {"id": "beta", "connector": "simulator", "simulator": {"phone": PEER}},
        {
            "id": "flappy",
            "connector": "simulator",
            "simulator": {"script": [{"fault": "drop", "after": "1s", "repeat": "3s"}]},
        },
        {"id": "fresh", "connector": "simulator", "simulator": {"paired": False}},
    ],
    "supervision": {"heartbeat": "200ms", "heartbeat_timeout": "30s", "tick": "100ms"},
    "recovery": {"backoff": {"min": "100ms", "max": "1s"}},
    "connectors": {"simulator": {"profile": {"paired": True}}},
    "http": {"requests_per_second": 1000},
}
DATABASES = {"api", "vault", "health", "recovery", "shard-0"}


@pytest.fixture
def small_disk(short_tmp: Path) -> Iterator[Path]:
    """The directory of a daemon whose state directory is a file system of 16 MB."""
    folder = short_tmp / "var"
    folder.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16M,mode=0700", "tmpfs", str(folder)], check=True, timeout=20)
    try:
        yield short_tmp
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=20)


def fill(folder: Path) -> Path:
    """Takes all room that there is."""
    ballast = folder / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return ballast


async def send(daemon: Daemon, id: str, wait: str = "20s") -> tuple[int, Any]:
    body = {"id": id, "to": PEER, "text": f"text of {id}", "wait": wait}
    return await daemon.call("POST", "/api/sessions/alpha/messages", json=body)


async def writable(daemon: Daemon) -> dict[str, int]:
    pattern = r'^wavigil_store_writable\{database="([\w-]+)"\} ([01])$'
    found = re.findall(pattern, await daemon.get("/metrics"), re.MULTILINE)
    return {name: int(value) for name, value in found}


def stored(daemon: Daemon, database: str, query: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{daemon.state_dir}/{database}.db?mode=ro", uri=True)) as conn:
        return list(conn.execute(query))


def gapless(daemon: Daemon, database: str) -> bool:
    found = stored(daemon, database, "SELECT min(seq), max(seq), count(*) FROM outbox")[0]
    return found[0] is None or found[1] - found[0] + 1 == found[2]


async def test_a_disk_that_fills_up_and_has_room_again(small_disk: Path) -> None:
    async with running_daemon(small_disk, CONFIG) as daemon:
        for id in ("alpha", "beta"):
            await daemon.until_status(id, "connected")
        await daemon.until_status("fresh", "pairing")

        async def all_told() -> bool:
            return set(await writable(daemon)) == DATABASES

        await until("every writer has told", all_told)
        assert (await send(daemon, "before"))[0] == 200
        qr = await daemon.get("/api/sessions/fresh/pairing")
        assert qr["qr"]

        # accepted while nothing is handed over; then the disk is full
        connector = (await daemon.node("shard-0/connector"))["pid"]
        os.kill(connector, signal.SIGSTOP)
        for number in range(5):
            assert (await send(daemon, f"accepted-{number}", "0s"))[0] == 202
        before = len(daemon.log)
        ballast = fill(daemon.state_dir)
        os.kill(connector, signal.SIGCONT)

        # what can't be stored is refused, in words, and nothing of it is done
        file = daemon.config_file.read_text()
        daemon.config_file.write_text(file.replace("id: beta", "id: gamma"))
        refused = [
            await daemon.call("POST", "/api/reload"),
            await send(daemon, "refused-0"),
            await daemon.call("POST", "/api/sessions", json={"id": "made-0", "connector": "simulator"}),
            await daemon.call("POST", "/api/sessions/alpha/stop"),
            await daemon.call("POST", "/api/whatsapp-status/alpha/reconnect"),
            await daemon.call("POST", "/api/sessions/fresh/pairing-code", json={"phone": "15550100009"}),
        ]
        for status, problem in refused:
            assert (status, problem["type"]) == (507, "/problems/storage_full"), problem
            assert "the disk of the state directory is full" in problem["detail"]
        daemon.config_file.write_text(file)
        for id, expected in {"made-0": 404, "gamma": 404, "beta": 200}.items():
            assert (await daemon.call("GET", f"/api/sessions/{id}"))[0] == expected
        assert (await daemon.call("GET", "/api/sessions/alpha"))[1]["enabled"] is True

        # it can be alerted on, and is told in words; the daemon is ready all the same
        async def told() -> bool:
            return {name for name, works in (await writable(daemon)).items() if not works} >= {
                "api",
                "vault",
                "shard-0",
            }

        await until("the writers tell of it", told, 60)
        assert await daemon.is_ready()
        free = re.search(r"^wavigil_disk_free_bytes (\d+)$", await daemon.get("/metrics"), re.MULTILINE)
        assert free is not None
        assert int(free[1]) < 256 * 1024
        summary = await daemon.get("/api/whatsapp-status/health-summary")
        assert any("vault.db" in sentence and "make room" in sentence for sentence in summary["problems"])
        shown = await daemon.command("status")
        output, _ = await shown.communicate()
        assert b"make room on its disk" in output

        # the actors live on: one that is killed comes back, and nobody gives up
        await daemon.kill("beta")
        await asyncio.sleep(0)
        restarted = await daemon.node("services")
        lines = daemon.log[before:].splitlines()
        counts = Counter(re.sub(r"\[\d+\].*?: ", ": ", line[24:])[:80] for line in lines if "disk is full" in line)
        assert counts, lines
        assert max(counts.values()) <= 10, counts

        # room: everything goes on by itself
        ballast.unlink()

        async def all_work() -> bool:
            return set((await writable(daemon)).values()) == {1}

        await until("every database works again", all_work, 60)
        for id in ("alpha", "beta"):
            await daemon.until_status(id, "connected", 60)
        assert (await daemon.node("services"))["pid"] == restarted["pid"]
        assert not (await daemon.get("/api/whatsapp-status/health-summary"))["problems"]
        assert (await send(daemon, "refused-0"))[0] == 200  # its caller tries again
        assert (await daemon.call("POST", "/api/sessions", json={"id": "made-0", "connector": "simulator"}))[0] == 201
        await daemon.until_status("made-0", "connected", 60)
        await daemon.until_status("fresh", "pairing", 60)
        assert (await daemon.get("/api/sessions/fresh/pairing?wait=30s"))["qr"]

        sent = {"before", "refused-0", *(f"accepted-{number}" for number in range(5))}
        arrived = "SELECT json_extract(data, '$.text') FROM outbox WHERE type = 'session.message' AND session = 'beta'"

        async def all_arrived() -> bool:
            states = [(await daemon.get(f"/api/sessions/alpha/messages/{id}"))["state"] for id in sent]
            there = stored(daemon, "shard-0", arrived)
            return set(states) <= {"acknowledged", "delivered", "read"} and len(there) >= len(sent)

        await until("every accepted message arrived", all_arrived, 60)
        texts = [row[0] for row in stored(daemon, "shard-0", arrived)]
        assert sorted(texts) == sorted(f"text of {id}" for id in sent)
        assert texts[:6] == ["text of before", *(f"text of accepted-{number}" for number in range(5))]
        for database in DATABASES - {"vault"}:
            assert gapless(daemon, database), database
        assert (await daemon.stop())[0] == 0
        assert "Traceback" not in daemon.log


async def test_a_full_disk_at_the_start(small_disk: Path) -> None:
    state = small_disk / "var"

    async def refused() -> str:
        (small_disk / "wavigil.yaml").write_text(f"state_dir: {state}\nhttp: {{listen: '127.0.0.1:0'}}\n")
        process = await asyncio.create_subprocess_exec(
            *COMMAND, "run", "--config", str(small_disk / "wavigil.yaml"), stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(60):
            _, said = await process.communicate()
        assert process.returncode == 1, said
        return said.decode()

    ballast = fill(state)
    (small_disk / "wavigil.yaml").write_text(f"state_dir: {state}\n")
    with pytest.raises(StartError, match="is full"):
        prepare(check(small_disk / "wavigil.yaml"))
    assert [path.name for path in state.iterdir()] == ["ballast"]
    ballast.unlink()
    async with running_daemon(small_disk, {**CONFIG, "sessions": CONFIG["sessions"][:1]}) as daemon:
        await daemon.until_status("alpha", "connected")
        assert (await daemon.stop())[0] == 0
        ballast = fill(state)
        before = {path.name: path.read_bytes() for path in state.iterdir() if path.is_file()}
        said = await refused()
        assert "make room" in said
        assert "Traceback" not in said
        assert {path.name: path.read_bytes() for path in state.iterdir() if path.is_file()} == before
        ballast.unlink()
        await daemon.start()
        await daemon.until_status("alpha", "connected")
