"""Is the disk below the state directory fit?"""

import math
import os
import tempfile
import time
from pathlib import Path

from daemon.doctor.finding import Finding, fail, ok, warn

FSYNCS = 20
PAGE = 4096
SLOW_FSYNC = 0.020
"""Seconds.  Each group of commits waits for one fsync; beyond this, sends and pairings feel it."""
LITTLE_ROOM, LITTLE_SHARE = 1 << 30, 0.1
NO_ROOM = 64 << 20
"""Bytes: below it, databases soon can't be written."""


def measure_fsync(directory: Path, count: int = FSYNCS) -> list[float]:
    """Seconds of each of ``count`` writes of a page with fsync, in a file without a name.  Raises OSError."""
    samples = []
    with tempfile.TemporaryFile(dir=directory, prefix=".doctor-") as file:
        for _ in range(count):
            file.write(b"\0" * PAGE)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            samples.append(time.perf_counter() - began)
    return samples


def quantile(samples: list[float], q: float) -> float:
    """The smallest sample that at least the part ``q`` of all does not exceed (nearest rank)."""
    return sorted(samples)[max(0, math.ceil(q * len(samples)) - 1)]


def fsync(samples: list[float]) -> Finding:
    """What measured fsyncs mean; ``samples`` are seconds, at least one."""
    p50, p99 = quantile(samples, 0.5), quantile(samples, 0.99)
    what = f"{len(samples)} fsyncs of the state directory: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms"
    if p99 <= SLOW_FSYNC:
        return ok("fsync", what)
    return warn(
        "fsync",
        f"{what}, above {SLOW_FSYNC * 1000:.0f} ms",
        "move state_dir to a local SSD, or find what else writes to this disk: iostat -x 1",
    )


def disk(free: int, total: int, inodes_free: int, inodes: int) -> Finding:
    """Bytes and inodes that this user may still take; 0 ``inodes`` means that the file system does not count them."""
    share, inode_share = free / max(1, total), inodes_free / inodes if inodes else 1.0
    what = f"{free / (1 << 30):.1f} GiB free ({share:.0%})" + (f", {inode_share:.0%} of the inodes" if inodes else "")
    remedy = "make room, or shorten sends.keep and events.keep; a full disk stops sends, and closes sessions"
    if free < NO_ROOM or inode_share == 0:
        return fail("disk", what, remedy)
    if free < LITTLE_ROOM or share < LITTLE_SHARE or inode_share < LITTLE_SHARE:
        return warn("disk", what, remedy)
    return ok("disk", what)
