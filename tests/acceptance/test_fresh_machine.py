"""The commands of the README on a machine that has nothing but what the README asks for."""

import asyncio
import json
import re
import socket
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.fixtures_debian import USER, Debian

pytestmark = [pytest.mark.acceptance, pytest.mark.needs_root]

REPOSITORY = Path(__file__).parents[2]
PORT = 9470
ADDRESS = re.compile(rf"http://127\.0\.0\.1:{PORT}\b")
TOKEN_FILE = re.compile(r"/\S*admin\.token")
FLEET = 12


async def clone(machine: Debian, *, user: str = USER) -> None:
    """Clones what is committed here into the user's home, as `git clone` does from a server."""
    bundle = machine.root / "srv/wavigil.bundle"
    command = ("git", "-C", REPOSITORY, "bundle", "create", "--quiet", bundle, "HEAD")
    process = await asyncio.create_subprocess_exec(*command)
    assert await process.wait() == 0
    await machine.run("git clone --quiet /srv/wavigil.bundle wavigil", user=user)


class Output:
    """The lines that a process has printed so far, for waiting and for the message of a failed assertion."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self._stream = stream
        self._lines: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._lines)

    async def find(self, pattern: re.Pattern[str], *, within: float) -> str:
        """The first match in what is printed within so many seconds."""
        try:
            async with asyncio.timeout(within):
                while not (match := pattern.search(self.text)):
                    line = await self._stream.readline()
                    assert line, f"ended without printing {pattern.pattern!r}:\n{self.text}"
                    self._lines.append(line.decode(errors="replace"))
        except TimeoutError:
            pytest.fail(f"did not print {pattern.pattern!r} within {within} s:\n{self.text}")
        return match[0]

    async def drain(self) -> None:
        """Reads on until the end, so that the process is never held up by its output."""
        while line := await self._stream.readline():
            self._lines.append(line.decode(errors="replace"))


def fetch(url: str, token: str | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.status, response.read()


async def until_free(port: int) -> None:
    """Waits for whoever listens there to go: the demonstration has a fixed port, and this host's network."""
    for _ in range(600):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                await asyncio.sleep(0.2)
            else:
                return
    pytest.fail(f"something else listens on port {port}")


async def sessions_of(address: str, token: str, count: int) -> list[str]:
    """The ids in the bulk listing once there are `count` of them."""
    while True:
        _, body = await asyncio.to_thread(fetch, f"{address}/api/whatsapp-status/bulk", token)
        ids = [session["sessionId"] for session in json.loads(body)["sessions"]]
        if len(ids) >= count:
            return ids
        await asyncio.sleep(0.2)


def daemon_of(machine: Debian) -> psutil.Process:
    """The process that `make` started."""
    (daemon,) = (process for process in machine.processes() if process.ppid() and is_daemon(process))
    return daemon


def is_daemon(process: psutil.Process) -> bool:
    try:
        parent = process.parent()
        return "wavigil" in " ".join(process.cmdline()) and parent is not None and parent.name() == "make"
    except psutil.NoSuchProcess:
        return False


@pytest.mark.timeout(400)
async def test_make_run_shows_a_living_fleet_and_leaves_nothing_behind(debian: Debian) -> None:
    await clone(debian)
    await until_free(PORT)
    make = await debian.start("cd wavigil && exec make run")
    assert make.stdout is not None
    output = Output(make.stdout)
    address = await output.find(ADDRESS, within=240)
    token_file = await output.find(TOKEN_FILE, within=10)
    reading = asyncio.create_task(output.drain())

    token_path = debian.root / token_file.lstrip("/")
    assert token_path.stat().st_mode & 0o777 == 0o600
    async with asyncio.timeout(60):
        status, _ = await asyncio.to_thread(fetch, f"{address}/healthz")
        assert status == 200
        ids = await sessions_of(address, token_path.read_text().strip(), FLEET)
    assert len(set(ids)) == FLEET

    asked = time.monotonic()
    daemon_of(debian).terminate()
    async with asyncio.timeout(20):
        code = await make.wait()
        await reading
    assert code == 0, output.text
    assert time.monotonic() - asked < 10
    assert debian.processes() == []


@pytest.mark.full
@pytest.mark.timeout(2400)
async def test_make_test_passes_with_nothing_prepared(debian: Debian) -> None:
    await clone(debian, user="root")
    # Not itself: a machine in a machine in a machine.
    output = await debian.run(
        "cd wavigil && CI=true make test PYTEST_ARGS='--deselect tests/acceptance/test_fresh_machine.py'",
        user="root",
    )
    assert re.search(r"\d+ passed", output), output
