"""A process that tests may kill with -9 and start again in milliseconds."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Crasher:
    """Starts and kills workers of `tests.integration.crash`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._pid: int | None = None

    async def start(self) -> None:
        """Starts the worker."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"go\n")
        self._pid = int(await self._process.stdout.readline())

    def kill(self) -> None:
        """Kills the worker, wherever it is."""
        assert self._pid is not None
        os.kill(self._pid, signal.SIGKILL)
        self._pid = None

    async def end(self) -> None:
        """Ends everything."""
        if self._pid is not None:
            self.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert await self._process.wait() == 0


@asynccontextmanager
async def crasher(*arguments: str) -> AsyncIterator[Crasher]:
    """A worker kind and its arguments."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.crash", *arguments,
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    worker = Crasher(process)
    try:
        yield worker
    finally:
        await worker.end()
