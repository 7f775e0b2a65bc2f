"""Whether a connector process is well: of its answers, and of what comes before them, over a real socket."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from actors.connectors.host import pulse
from actors.runtime import frames
from actors.runtime.liveness import Beats
from actors.runtime.rpc import Link

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

BEATS = Beats(period=0.02, timeout=0.1)


class Talker:
    """A peer of which there is always something that was not read."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self._near = near
        self._far = far
        self._number = 0

    async def watched(self) -> None:
        self.link = Link(*await asyncio.open_unix_connection(sock=self._near), on_event=lambda *_: None)
        process: Any = SimpleNamespace(popen=SimpleNamespace(pid=os.getpid()))
        self.running = asyncio.create_task(pulse.watch(self.link, process, BEATS))

    async def send(self, seconds: float, *, answering: bool = False) -> None:
        """Until it was long enough, or it is given up; what it answers is long asked."""
        event = frames.encode({"ev": "news", "text": "x" * 100}) * 5
        loop = asyncio.get_running_loop()
        ends, answer_at = loop.time() + seconds, loop.time()
        while loop.time() < ends and not self.running.done():
            with contextlib.suppress(BlockingIOError):
                self._far.send(event)
                if answering and loop.time() >= answer_at and self.link._asked > self._number + 1:
                    self._number += 1
                    answer_at += BEATS.timeout
                    self._far.send(frames.encode({"re": self._number, "ok": {}}))
            await asyncio.sleep(0)


@pytest.fixture
async def talker() -> AsyncIterator[Talker]:
    near, far = socket.socketpair()
    far.setblocking(False)
    peer = Talker(near, far)
    await peer.watched()
    yield peer
    peer.running.cancel()
    peer.link.abort()
    far.close()
    await asyncio.gather(peer.running, return_exceptions=True)


async def test_an_answer_behind_a_backlog_is_not_late(talker: Talker) -> None:
    await talker.send(0.5 * pulse.MOST_BEHIND * BEATS.timeout)
    assert not talker.running.done(), "more comes from it than is read"
    assert await talker.running, "it is silent"


async def test_one_that_talks_and_answers_nothing_is_silent_in_the_end(talker: Talker) -> None:
    await talker.send(30.0)
    assert talker.running.done()
    assert await talker.running


async def test_an_answer_that_comes_late_is_a_sign_of_life(talker: Talker) -> None:
    await talker.send(2 * pulse.MOST_BEHIND * BEATS.timeout, answering=True)
    assert not talker.running.done()
