"""What a process costs in memory, its share of what forks share included.

``/proc/PID/smaps_rollup`` walks all pages, 4 ms for 80 MB: too dear for a supervisor to read it of each child when it
is asked.  Each actor measures itself, rarely, and its heartbeat carries the result.
"""

import random
from pathlib import Path

FIRST = (20.0, 80.0)
"""Seconds until the first measurement, drawn at random: a start is busy enough."""
PERIOD = 300.0
"""Seconds between measurements: 1.3 % of a core for a thousand actors."""


def pss_bytes(pid: int | str = "self") -> int | None:
    """Proportional set size: pages that n processes share count 1/n.  None if the process is gone or not readable."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return None


class MemoryProbe:
    """Measures this process when it is due; ``now`` is monotonic seconds."""

    def __init__(self) -> None:
        self._due: float | None = None
        self._known: int | None = None

    def look(self, now: float) -> int | None:
        """The PSS as measured last, in bytes; None before the first time."""
        if self._due is None:
            self._due = now + random.uniform(*FIRST)
        elif now >= self._due:
            self._due = now + PERIOD
            self._known = pss_bytes()
        return self._known
