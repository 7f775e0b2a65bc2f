"""Lets another process of ours run at a lower priority for a while; only if it can be given back what it had."""

import contextlib
import os
import resource
from pathlib import Path

CAP_SYS_NICE = 23
LOWERED = 15
"""The nice value meanwhile."""
LEAST_NICE = 20
"""RLIMIT_NICE counts down from here (``man 2 getrlimit``)."""


def may_raise() -> bool:
    """Whether this process may raise the priority of its children to its own again."""
    lines = Path("/proc/self/status").read_text("ascii", "replace").splitlines()
    effective = next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")), 0)
    soft, _ = resource.getrlimit(resource.RLIMIT_NICE)
    wanted = LEAST_NICE - os.getpriority(os.PRIO_PROCESS, 0)
    return bool(effective >> CAP_SYS_NICE & 1) or soft == resource.RLIM_INFINITY or soft >= wanted


def lower(pid: int) -> bool:
    """Of a child with one thread so far, and those it starts; False, and nothing is done, if it were for good."""
    if not may_raise():
        return False
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, max(LOWERED, os.getpriority(os.PRIO_PROCESS, 0)))
        return True
    return False


def give_back(pid: int) -> None:
    """All its threads get the priority of this process; each has one of its own (``man 2 setpriority``)."""
    own = os.getpriority(os.PRIO_PROCESS, 0)
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):  # a thread that has ended
                os.setpriority(os.PRIO_PROCESS, int(task.name), own)
