"""What is read for requests, while those who write it are killed, stopped, and locked out: right, or a clear error."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from daemon.reads import MOST_OF_ONE, PATIENCE
from tests.fixtures_daemon import Daemon, running_daemon, until
from tests.fixtures_processes import PATIENCE as HEALED_WITHIN
from tests.fixtures_processes import SESSIONS, Sender, find, fleet, healed, well
from tests.lockholder import held

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

OWNERS = ["health", "recovery", "host"]
"""Of health.db, recovery.db and shard-0.db."""
SLACK = 10.0
"""Seconds that a busy machine may add to an answer."""
HISTORY = f"/api/sessions/{SESSIONS[1]}/history"
EXPLAIN = f"/api/recovery/{SESSIONS[1]}/explain"
OTHERS = ["/healthz", "/metrics", "/api/whatsapp-status/bulk", "/api/whatsapp-status/health-summary"]
"""What is answered without a database."""


class Readers:
    """Ask for everything that is stored, again and again, and judge each answer."""

    def __init__(self, daemon: Daemon, at: str, told: dict[str, Any]) -> None:
        """``told`` is the explanation of the time ``at``, which stays what it is."""
        self._daemon = daemon
        self._told = told
        self._then = f"{EXPLAIN}?at={at}"
        self.paths = [
            EXPLAIN,
            self._then,
            HISTORY,
            f"{HISTORY}?step=raw&from={moment(3600)}&to={at}",
            "/api/recovery/episodes",
            "/api/recovery/summary",
            "/api/audit",
            "/api/interventions",
        ]
        self.right = dict.fromkeys(self.paths, 0)
        self.errors: list[dict[str, Any]] = []

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for path in self.paths:
                group.create_task(self._ask_on(path))

    async def _ask_on(self, path: str) -> None:
        while True:
            await self._ask(path)
            await asyncio.sleep(0)

    async def _ask(self, path: str) -> None:
        status, headers, body, seconds = await answer(self._daemon, path)
        assert seconds < PATIENCE + SLACK, (path, seconds)
        if status != 200:
            judge_error(status, headers, body)
            self.errors.append(body)
            return
        if path == self._then:
            assert body == self._told
        elif path == EXPLAIN:
            assert body["sessionId"] == SESSIONS[1]
            assert body["because"]
        elif path.startswith(HISTORY):
            assert body["sessionId"] == SESSIONS[1]
            assert [point["at"] for point in body["points"]] == sorted(point["at"] for point in body["points"])
        self.right[path] += 1

    async def more(self, count: int = 5) -> None:
        """Waits until each was answered rightly so often again."""
        before = dict(self.right)
        await until(
            "each is answered", lambda: all(self.right[path] >= before[path] + count for path in self.paths), 60
        )


async def answer(daemon: Daemon, path: str) -> tuple[int, Any, Any, float]:
    """Status, headers, body, and how long it took."""
    assert daemon._http is not None
    began = time.monotonic()
    async with asyncio.timeout(PATIENCE + 2 * SLACK), daemon._http.get(path) as response:
        body = await (response.json(content_type=None) if "json" in response.content_type else response.text())
        return response.status, response.headers, body, time.monotonic() - began


def judge_error(status: int, headers: Any, body: Any) -> None:
    """It says that it is not for long, and what could not be read."""
    assert (status, body["type"]) == (503, "/problems/unavailable"), body
    assert int(headers["Retry-After"]) >= 1
    assert "can't be read" in body["detail"]
    assert body["context"]["database"] in {"api", "health", "recovery", "shard-0"}


@asynccontextmanager
async def read_meanwhile(daemon: Daemon) -> AsyncIterator[Readers]:
    """A reader's mistake ends the block."""
    await until("everybody is connected", lambda: well(daemon), HEALED_WITHIN)
    at = moment()
    told = await daemon.get(f"{EXPLAIN}?at={at}")
    assert (told["state"], told["rule"], told["at"]) == ("open", "well", at)
    readers = Readers(daemon, at, told)
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(readers.run())
        yield readers
        await readers.more()
        reading.cancel()


def moment(back: float = 0.0) -> str:
    """The time so many seconds ago, as the API has it."""
    now = datetime.fromtimestamp(time.time() - back, UTC)
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def main_threads(daemon: Daemon) -> int:
    assert daemon.process is not None
    return psutil.Process(daemon.process.pid).num_threads()


async def test_those_who_write_are_killed(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, fleet()) as daemon, read_meanwhile(daemon) as readers:
        sender = Sender(daemon)
        for names in (["health"], ["recovery"], ["host"], OWNERS):
            victims = [await find(daemon, name) for name in names]
            for victim in victims:
                victim.kill()
            await healed(daemon, sender, victims, names)
            await readers.more()
        assert "Traceback" not in daemon.log


async def test_those_who_write_are_stopped(short_tmp: Path) -> None:
    config = fleet()
    config["supervision"]["heartbeat_timeout"] = "90s"  # they are to go on, not to be replaced
    async with running_daemon(short_tmp, config) as daemon, read_meanwhile(daemon) as readers:
        before = {name: (await find(daemon, name)).pid for name in OWNERS}
        for names in (["health"], ["recovery"], ["host"], OWNERS) * 2:
            victims = [await find(daemon, name) for name in names]
            try:
                for victim in victims:
                    victim.suspend()
                await readers.more()
            finally:
                for victim in victims:
                    victim.resume()
            await readers.more(1)
        await Sender(daemon).send("being stopped")
        assert {name: (await find(daemon, name)).pid for name in OWNERS} == before, "nobody was replaced"


async def test_a_writer_that_does_not_end(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, fleet()) as daemon, read_meanwhile(daemon) as readers:
        for name in ("health", "recovery", "shard-0"):
            with held("begin", daemon.state_dir / f"{name}.db"):
                await readers.more()
        assert readers.errors == []
        await until("everybody is connected", lambda: well(daemon), HEALED_WITHIN)
        await Sender(daemon).send("the locks")


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("health", [HISTORY]),
        ("recovery", [EXPLAIN, "/api/recovery/episodes", "/api/recovery/summary"]),
        ("shard-0", [EXPLAIN, f"{EXPLAIN}?at=1m"]),
    ],
)
async def test_readers_are_locked_out(short_tmp: Path, name: str, paths: list[str]) -> None:
    async with running_daemon(short_tmp, fleet()) as daemon:
        await until("everybody is connected", lambda: well(daemon), HEALED_WITHIN)
        paths = [path.replace("at=1m", f"at={moment()}") for path in paths]
        for path in paths:
            assert (await answer(daemon, path))[0] == 200
        threads = main_threads(daemon)
        with held("readers", daemon.state_dir / f"{name}.db"):
            wanted = itertools.islice(itertools.cycle(paths), 12)
            asked = [asyncio.create_task(answer(daemon, path)) for path in wanted]
            most, slowest = 0, 0.0
            while not all(task.done() for task in asked):
                for path in OTHERS:
                    status, _, _, seconds = await answer(daemon, path)
                    assert status == 200
                    slowest = max(slowest, seconds)
                most = max(most, main_threads(daemon))
            assert slowest < SLACK / 2
            assert most <= threads + MOST_OF_ONE + 1
            for task in asked:
                status, headers, body, seconds = task.result()
                judge_error(status, headers, body)
                assert body["context"]["database"] == name
                assert seconds < PATIENCE + SLACK
        for path in paths:
            await until(f"{path} is answered", lambda path=path: is_answered(daemon, path), 60)
        await until("no thread is left", lambda: main_threads(daemon) <= threads, 30)
        await until("everybody is connected", lambda: well(daemon), HEALED_WITHIN)
        await Sender(daemon).send("the lock")
        status, seconds = await daemon.stop()
        assert status == 0
        assert seconds < SLACK
        assert "Traceback" not in daemon.log


async def is_answered(daemon: Daemon, path: str) -> bool:
    return (await answer(daemon, path))[0] == 200
