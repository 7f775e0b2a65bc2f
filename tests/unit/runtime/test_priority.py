"""A child gets a lower priority for a while only if it can be given back what it had."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.runtime import priority

WAITS = "import sys, threading; t = threading.Thread(target=sys.stdin.read); t.start(); print(1, flush=True); t.join()"


@pytest.fixture
def child() -> Iterator[int]:
    """Pid of a process with two threads."""
    command = [sys.executable, "-c", WAITS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid


def tasks(pid: int) -> list[int]:
    return [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]


def priorities(pid: int) -> set[int]:
    return {os.getpriority(os.PRIO_PROCESS, task) for task in tasks(pid)}


@pytest.mark.needs_root
def test_all_threads_get_back_what_they_had(child: int) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    for task in tasks(child):
        os.setpriority(os.PRIO_PROCESS, task, 19)
    priority.give_back(child)
    assert priorities(child) == {own}


@pytest.mark.needs_root
def test_it_is_lowered_where_that_can_be_undone(child: int) -> None:
    assert priority.lower(child)
    assert max(priorities(child)) == max(priority.LOWERED, os.getpriority(os.PRIO_PROCESS, 0))


def test_it_stays_as_it_is_where_that_would_be_for_good(child: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(priority, "may_raise", lambda: False)
    assert not priority.lower(child)
    assert priorities(child) == {os.getpriority(os.PRIO_PROCESS, 0)}


def test_a_process_that_is_gone_is_no_trouble() -> None:
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    priority.give_back(process.pid)
    assert not priority.lower(process.pid)
