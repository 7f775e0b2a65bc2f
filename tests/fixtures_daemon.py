"""The daemon as a process, used as its users use it: a configuration file, HTTP, signals."""

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp
import psutil
import pytest
import yaml

COMMAND = [sys.executable, "-m", "daemon.cli"]
START_PATIENCE = 30.0


async def until(
    what: str, check: Callable[[], Awaitable[Any]] | Callable[[], Any], patience: float = 20.0, every: float = 0.02
) -> Any:
    """Waits for a condition and returns its value; fails with ``what`` after ``patience`` seconds."""
    end = time.monotonic() + patience
    while True:
        value = check()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"not within {patience:g} s: {what}")
        await asyncio.sleep(every)


@dataclass
class Daemon:
    """One daemon.  Ends its process, and all below it, whatever fails."""

    directory: Path
    config: dict[str, Any]
    process: asyncio.subprocess.Process | None = None
    url: str = ""
    _http: aiohttp.ClientSession | None = None
    seen: set[int] = field(default_factory=set)

    @property
    def config_file(self) -> Path:
        """Where its configuration is."""
        return self.directory / "wavigil.yaml"

    @property
    def state_dir(self) -> Path:
        """Where its databases are."""
        return self.directory / "var"

    @property
    def log(self) -> str:
        """What it wrote to stderr so far."""
        file = self.directory / "log"
        return file.read_text() if file.exists() else ""

    async def spawn(self) -> int:
        """Starts it, and waits for nothing.  Returns where in the log it begins."""
        await self._hang_up()
        self.write_config()
        log = (self.directory / "log").open("ab")
        before = len(self.log)
        self.process = await asyncio.create_subprocess_exec(
            *COMMAND, "run", "--config", str(self.config_file), stderr=log, stdout=log, start_new_session=True
        )
        log.close()
        return before

    async def start(self) -> Self:
        """Starts it and waits until it serves."""
        before = await self.spawn()

        def serving() -> re.Match[str] | None:
            if self.process is not None and self.process.returncode is not None:
                pytest.fail(f"the daemon ended with {self.process.returncode}:\n{self.log[before:]}")
            return re.search(r"serving on (http://\S+)", self.log[before:])

        self.url = (await until("the daemon serves", serving, START_PATIENCE))[1]
        token = (self.state_dir / "admin.token").read_text().strip()
        self._http = aiohttp.ClientSession(self.url, headers={"Authorization": f"Bearer {token}"})
        await until("the actors are up", self.is_ready, START_PATIENCE)
        return self

    def write_config(self) -> None:
        """Puts ``config`` into the file, from which a running daemon takes it when it is told to."""
        config = {"state_dir": str(self.state_dir), **self.config}
        config.setdefault("http", {}).setdefault("listen", "127.0.0.1:0")
        self.config_file.write_text(yaml.safe_dump(config, sort_keys=False))

    async def reload(self) -> dict[str, Any]:
        """Has it take over ``config`` while it runs; returns what changed."""
        self.write_config()
        status, body = await self.call("POST", "/api/reload")
        assert status == 200, body
        return dict(body)

    async def marks(self, *sessions: str) -> dict[str, Any]:
        """What changes when a session's process or connection is another one."""
        found = {}
        for id in sessions:
            status, node = (await self.status(id))["statusMetadata"], await self.node(id)
            found[id] = (node["pid"], node["restarts"], status["generation"], status["since"])
        return found

    async def is_ready(self) -> bool:
        """What /readyz says."""
        return (await self.call("GET", "/readyz"))[0] == 200

    async def call(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """One request: status and decoded body."""
        assert self._http is not None
        async with self._http.request(method, path, **options) as response:
            text = await response.text()
            if "json" in response.headers.get("Content-Type", ""):
                return response.status, await response.json(content_type=None)
            return response.status, text

    async def get(self, path: str) -> Any:
        """The body of a successful GET."""
        status, body = await self.call("GET", path)
        assert status == 200, (path, status, body)
        return body

    async def command(self, *words: str) -> asyncio.subprocess.Process:
        """Starts ``wavigil`` with these words, its output in one pipe."""
        where = ["--url", self.url, "--token-file", str(self.state_dir / "admin.token")]
        return await self.run(words[0], *where, *words[1:])

    @staticmethod
    async def run(*words: str) -> asyncio.subprocess.Process:
        """Starts ``wavigil`` with exactly these words, its output in one pipe."""
        return await asyncio.create_subprocess_exec(
            *COMMAND, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )

    async def status(self, session: str) -> dict[str, Any]:
        """The status of one session."""
        body = await self.get(f"/api/whatsapp-status/{session}")
        assert isinstance(body, dict)
        return body

    async def until_status(self, session: str, status: str, patience: float = 30.0) -> dict[str, Any]:
        """Waits until a session has that status."""
        last: dict[str, Any] = {}

        async def there() -> bool:
            last.clear()
            last.update(await self.status(session))
            return bool(last["status"] == status)

        try:
            await until(f"{session} is {status}", there, patience)
        except BaseException:
            print(last, self.log[-4000:])  # noqa: T201 - pytest shows it with the failure
            raise
        return last

    async def tree(self) -> dict[str, Any]:
        """The supervision tree."""
        body = await self.get("/api/supervision")
        assert isinstance(body, dict)
        return body

    async def node(self, id: str, kind: str | None = None) -> dict[str, Any]:
        """One node of the tree."""

        def find(node: dict[str, Any]) -> dict[str, Any] | None:
            if node["id"] == id and kind in {None, node["kind"]}:
                return node
            return next((found for child in node["children"] if (found := find(child))), None)

        async def there() -> dict[str, Any] | None:
            found = find(await self.tree())
            return found if found and found["pid"] else None

        found = await until(f"{id} is in the tree", there)
        assert isinstance(found, dict)
        return found

    async def kill(self, id: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Signals the process of a node; returns its pid."""
        pid = (await self.node(id))["pid"]
        assert isinstance(pid, int)
        os.kill(pid, number)
        return pid

    def processes(self) -> list[psutil.Process]:
        """Main and everything below it that runs."""
        if self.process is None:
            return []
        try:
            main = psutil.Process(self.process.pid)
            found = [main, *main.children(recursive=True)]
        except psutil.NoSuchProcess:
            found = []
        self.seen |= {process.pid for process in found}
        return found

    def remaining(self) -> list[int]:
        """Which of the processes seen so far still run."""
        marker = str(self.directory)

        def lives(pid: int) -> bool:
            try:
                process = psutil.Process(pid)
                return process.status() != psutil.STATUS_ZOMBIE and any(marker in part for part in process.cmdline())
            except psutil.Error:
                return False

        return [pid for pid in self.seen if lives(pid)]

    async def stop(self) -> tuple[int, float]:
        """SIGTERM: exit status and seconds."""
        assert self.process is not None
        self.processes()
        await self._hang_up()
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            status = await self.process.wait()
        return status, time.monotonic() - began

    async def _hang_up(self) -> None:
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def destroy(self) -> None:
        """Whatever state it is in: nothing is left."""
        await self._hang_up()
        self.processes()
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        for pid in self.remaining():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


@asynccontextmanager
async def running_daemon(directory: Path, config: dict[str, Any]) -> AsyncIterator[Daemon]:
    """A daemon that serves."""
    daemon = Daemon(directory, config)
    try:
        yield await daemon.start()
    finally:
        await daemon.destroy()


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A directory with a short path: Unix sockets allow 107 bytes."""
    import tempfile  # noqa: PLC0415 - of this fixture only

    with tempfile.TemporaryDirectory(prefix="wv", dir="/tmp") as name:
        yield Path(name)
