"""What a process names to be shared by the kernel, seen as the kernel notes it in /proc/PID/smaps."""

import asyncio
import errno
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from actors.runtime import merging
from actors.runtime.merging import FIRST, GAP, GROWTH, PERIOD
from tests.unit.connectors.simulator.virtual import in_virtual_time

PAGES = 64
FORKED = """
import ctypes, mmap, os, sys
from actors.runtime.merging import PAGE, offer_own_pages
memory = mmap.mmap(-1, 64 * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ | mmap.PROT_WRITE)
memory.write(b"x" * len(memory))
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
for page in sys.argv[1:]:
    memory[int(page) * PAGE] = 1
total, first, marked = offer_own_pages(), ctypes.addressof(ctypes.c_char.from_buffer(memory)), set()
for line in open("/proc/self/smaps"):
    words = line.split()
    if "-" in words[0]:
        start, end = (int(part, 16) for part in words[0].split("-"))
    elif words[0] == "VmFlags:" and "mg" in words:
        marked |= set(range((start - first) // PAGE, (end - first) // PAGE))
print(total, *(page for page in range(64) if page in marked))
"""


def named(*written: int) -> set[int]:
    """Of 64 pages, of which a forked process wrote into some, which it named."""
    command = [sys.executable, "-c", FORKED, *map(str, written)]
    total, *pages = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert int(total) > 0
    return set(map(int, pages))


def test_only_what_the_process_has_for_itself_is_named() -> None:
    assert named() == set()
    assert named(3) == {3}
    assert named(0, 1, 30, 63) == {0, 1, 30, 63}


def test_what_lies_close_together_is_one_range() -> None:
    assert named(10, 11 + GAP) == set(range(10, 12 + GAP))
    assert named(10, 12 + GAP) == {10, 12 + GAP}


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Writes the file in which the kernel says whether ksmd runs; there is none at first."""
    run = tmp_path / "run"
    monkeypatch.setattr(merging, "_RUN", run)

    def write(text: str) -> None:
        run.write_text(text, "ascii")

    return write


@in_virtual_time
async def test_offered_is_now_and_then_as_long_as_ksmd_runs(
    say: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    offers: list[float] = []
    monkeypatch.setattr(merging, "offer_own_pages", lambda: offers.append(asyncio.get_running_loop().time()))
    offering = asyncio.create_task(merging.keep_offering())
    for text in (None, "0\n", "2\n"):
        if text is not None:
            say(text)
        await asyncio.sleep(10 * FIRST)
    assert offers == []
    say("1\n")
    told = asyncio.get_running_loop().time()
    await asyncio.sleep(6 * PERIOD)
    offering.cancel()
    assert offers[0] - told <= 1.25 * FIRST
    waits = [later - at for at, later in pairwise(offers)]
    due = [min(FIRST * GROWTH**number, PERIOD) for number in range(1, len(offers))]
    assert all(0.75 * wait <= waited <= 1.25 * wait for wait, waited in zip(due, waits, strict=True))
    assert due[-1] == PERIOD


@in_virtual_time
async def test_a_kernel_that_can_not_is_asked_once(
    say: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused() -> None:
        raise OSError(errno.EINVAL, "madvise failed")

    say("1\n")
    monkeypatch.setattr(merging, "offer_own_pages", refused)
    async with asyncio.timeout(2 * FIRST):
        await merging.keep_offering()
    assert "can't share equal pages" in caplog.text
