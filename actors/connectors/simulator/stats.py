"""What the process costs: memory, processor time, and how late its event loop runs."""

import asyncio
import os
import time
from pathlib import Path

_PROBE_SECONDS = 0.5
_PAGE = os.sysconf("SC_PAGE_SIZE")


class LagProbe:
    """Notes by how much a timer of the loop fires late."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._worst = 0.0
        self._due = loop.time() + _PROBE_SECONDS
        self._timer = loop.call_at(self._due, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        self._worst = max(self._worst, now - self._due)
        self._due = now + _PROBE_SECONDS
        self._timer = self._loop.call_at(self._due, self._look)

    def take(self) -> float:
        """Worst delay since the last call, in milliseconds."""
        worst, self._worst = max(self._worst, self._loop.time() - self._due), 0.0
        return worst * 1000

    def stop(self) -> None:
        """Ends the probe."""
        self._timer.cancel()


def rss_bytes() -> int:
    """Resident memory of this process (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE


def cpu_ms() -> float:
    """Processor time of this process so far, in milliseconds."""
    return time.process_time() * 1000
