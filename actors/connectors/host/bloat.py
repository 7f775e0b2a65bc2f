"""Is a connector process bloated?  The decision: pure.

A process whose memory grows is replaced in good order while it still works well; one that outgrows its hard bound is
ended, before the machine runs out of memory and the kernel chooses whom to kill.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

RUNS = 3
"""Measurements in a row that have to agree: memory that the next garbage collection frees is no bloat."""
PAUSE = 600.0
"""Seconds between two replacements of one host's process: a bound that is too low must not keep sessions moving."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """In bytes of resident memory; None: no bound."""

    recycle: int | None = None
    limit: int | None = None


class Verdict(StrEnum):
    """What is done about a process."""

    KEEP = "keep"
    RECYCLE = "recycle"
    """A new process takes its sessions over, one after the other."""
    END = "end"
    """It is killed; all its sessions reconnect."""


def judge(recent: Sequence[int], bounds: Bounds, since: float | None, now: float) -> Verdict:
    """The verdict on a process with these last measurements of its resident memory, in bytes, oldest first.

    ``since`` is when the host's process was last replaced, or None; in the seconds of ``now``.
    """
    if len(recent) < RUNS:
        return Verdict.KEEP
    least = min(recent[-RUNS:])
    if bounds.limit is not None and least > bounds.limit:
        return Verdict.END
    if bounds.recycle is not None and least > bounds.recycle and rested(since, now):
        return Verdict.RECYCLE
    return Verdict.KEEP


def rested(since: float | None, now: float) -> bool:
    """Whether a process may be replaced again, whose host replaced one at ``since``."""
    return since is None or now - since >= PAUSE
