"""Whether a connector process is well: of its answers, and of what comes before them, over a real socket."""

import asyncio
import contextlib
import os
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from actors.connectors.host import pulse
from actors.runtime import frames
from actors.runtime.liveness import Beats
from actors.runtime.rpc import Link

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

BEATS = Beats(period=0.02, timeout=0.1)


async def test_an_answer_behind_a_backlog_is_not_late() -> None:
    near, far = socket.socketpair()
    far.setblocking(False)
    link = Link(*await asyncio.open_unix_connection(sock=near), on_event=lambda *_: None)
    process: Any = SimpleNamespace(popen=SimpleNamespace(pid=os.getpid()))
    event = frames.encode({"ev": "news", "text": "x" * 100}) * 5
    running = asyncio.create_task(pulse.watch(link, process, BEATS))
    loop = asyncio.get_running_loop()

    async def send(ends: float) -> None:
        """There is always something that was not read, and never an answer."""
        while loop.time() < ends:
            with contextlib.suppress(BlockingIOError):
                far.send(event)
            await asyncio.sleep(0)

    try:
        await send(loop.time() + 5 * BEATS.timeout)
        assert not running.done(), "more comes from it than is read"
        assert await running, "it is silent"
    finally:
        link.abort()
        far.close()
