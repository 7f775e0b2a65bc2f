"""A process of which there are many takes less of the processor's time than others, and gets it sooner."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from actors.runtime import scheduling

KNOWS_SLICES = platform.machine() in {"x86_64", "aarch64", "riscv64"} and tuple(
    map(int, re.findall(r"\d+", platform.release())[:2])
) >= (6, 12)
TELLS_SLICES = Path("/proc/self/sched").exists()
TOLD = re.compile(r"se\.slice\s*:\s*(\d+)")


def after(call: str, machine: str = platform.machine()) -> tuple[int, int | None]:
    """Nice value and slice in ns of a process that called it, and of a thread that it started then."""
    code = f"""
import os, pathlib, platform, threading
from actors.runtime import scheduling
platform.machine = lambda: {machine!r}
{call}
def tell():
    sched = pathlib.Path(f"/proc/self/task/{{threading.get_native_id()}}/sched")
    print(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), sched.read_text() if sched.exists() else "")
thread = threading.Thread(target=tell)
thread.start()
thread.join()
"""
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    found = TOLD.search(run.stdout)
    return int(run.stdout.split(maxsplit=1)[0]), int(found[1]) if found else None


def test_the_nice_value_rises_by_that_much() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert after("scheduling.yield_to_others(5, 0.0003)")[0] == min(own + 5, scheduling.NICEST)


def test_it_rises_no_further_than_it_can() -> None:
    assert after("scheduling.yield_to_others(40, 0.0003)")[0] == scheduling.NICEST


@pytest.mark.parametrize("seconds", [0.0003, 0.002])
def test_the_kernel_has_the_slice(seconds: float) -> None:
    told = after(f"scheduling.yield_to_others(5, {seconds})")[1]
    if KNOWS_SLICES and TELLS_SLICES:
        assert told == round(seconds * 1e9)
    else:
        assert told != round(seconds * 1e9)


def test_on_a_machine_whose_call_is_not_known_the_nice_value_counts() -> None:
    nice, told = after("scheduling.yield_to_others(5, 0.0003)", machine="a machine of tomorrow")
    assert nice == min(os.getpriority(os.PRIO_PROCESS, 0) + 5, scheduling.NICEST)
    assert told != 300_000


def test_a_kernel_that_refuses_leaves_the_nice_value() -> None:
    """As one does whose filter of system calls has none for it."""
    refused = "scheduling._SCHED_SETATTR[platform.machine()] = 100_000\nscheduling.yield_to_others(5, 0.0003)"
    nice, told = after(refused)
    assert nice == min(os.getpriority(os.PRIO_PROCESS, 0) + 5, scheduling.NICEST)
    assert told != 300_000
