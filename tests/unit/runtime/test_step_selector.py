"""When a step of an actor's loop ends, and how soon it wants the next one."""

import asyncio
import os
import time
from collections.abc import Iterator

import pytest

from actors.runtime.loop_actor import _StepSelector


class Loop(asyncio.SelectorEventLoop):
    """Counts how often it was stopped."""

    stops = 0

    def stop(self) -> None:
        self.stops += 1


@pytest.fixture
def selector() -> Iterator[_StepSelector]:
    selector = _StepSelector()
    selector.loop = loop = Loop(selector)
    yield selector
    loop.close()


def test_a_step_that_comes_late_and_finds_nothing_rests(selector: _StepSelector) -> None:
    """Else each actor of a machine with more work than cores asks for another step at once, for ever."""
    selector.until = time.monotonic() - 1
    for timeout in (7.5, None):
        assert selector.select(timeout) == []
        assert selector.want == timeout
    assert isinstance(selector.loop, Loop)
    assert selector.loop.stops == 2


def test_a_step_whose_time_is_over_goes_on_at_once_if_there_is_work(selector: _StepSelector) -> None:
    selector.until = time.monotonic() - 1
    selector.want = 7.5
    selector.select(0)  # handles wait in the loop
    assert selector.want == 0.0
    read, write = os.pipe()
    selector.register(read, 1)
    os.write(write, b"x")
    selector.want = 7.5
    assert selector.select(7.5)
    assert selector.want == 0.0
    selector.unregister(read)
    os.close(read)
    os.close(write)


def test_a_step_with_time_left_and_work_is_not_stopped(selector: _StepSelector) -> None:
    selector.until = time.monotonic() + 60
    selector.select(0)
    assert isinstance(selector.loop, Loop)
    assert selector.loop.stops == 0
