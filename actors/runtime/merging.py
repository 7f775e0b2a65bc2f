"""Lets the kernel share pages of this process that are equal to those of others: KSM, Linux 4.2 and newer.

Forked Python processes write into a tenth of the pages that they share, to count references: mostly the same counts.
The machine's administrator decides whether ksmd looks for such pages
(https://docs.kernel.org/admin-guide/mm/ksm.html).  It looks at each page of the ranges that a process names, twice
before it merges one, and keeps 64 bytes for each.  So only those are named that the process has for itself by now, and
what lies close to them; all of its memory (PR_SET_MEMORY_MERGE) would be six times the work, for nothing.
"""

import asyncio
import ctypes
import errno
import logging
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

FIRST = 60.0
"""Seconds until the first look, after which most of what will be written is; also between looks whether ksmd runs."""
GROWTH = 3.0
"""Further looks are rarer by this factor: at the first one a session may still have waited to connect."""
PERIOD = 1800.0
"""Seconds between two looks at the most."""
GAP = 8
"""Shared pages between two of our own that are named as well: a range costs the kernel some 1,300 bytes (two mappings
more, each known to all ancestors that forked), a page 64."""

MADV_MERGEABLE = 12
PAGE = os.sysconf("SC_PAGE_SIZE")
_RUN = Path("/sys/kernel/mm/ksm/run")
_ENTRY = 8
"""Bytes that /proc/PID/pagemap has for a page (https://docs.kernel.org/admin-guide/mm/pagemap.html)."""
_OWN = re.compile(rb"\x81+(?:[^\x81]{1,%d}\x81+)*" % GAP, re.DOTALL)
"""Runs of pages that are present (bit 63), of no file (61) and mapped by this process alone (56), in the highest bytes
of entries."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


async def keep_offering() -> None:
    """Names them for ever, as long as ksmd runs."""
    wait = FIRST
    while True:
        await asyncio.sleep(wait * random.uniform(0.75, 1.25))  # a thousand sessions start together
        if not merged_here():
            continue  # it may be told to run at any time
        try:
            offer_own_pages()
        except OSError as error:
            log.warning("the kernel can't share equal pages of this process: %s", error)
            return
        wait = min(wait * GROWTH, PERIOD)


def merged_here() -> bool:
    """Whether ksmd runs."""
    try:
        return _RUN.read_text("ascii").strip() == "1"
    except OSError:  # a kernel without it
        return False


def offer_own_pages() -> int:
    """Names what this process alone has in its private memory; returns how many bytes.  Raises OSError."""
    offered = 0
    pagemap = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    try:
        for start, end in list(_own_ranges(pagemap)):  # the list of mappings changes with each that is named
            if _libc.madvise(start, end - start, MADV_MERGEABLE) == 0:
                offered += end - start
            elif (error := ctypes.get_errno()) not in {errno.ENOMEM, errno.EAGAIN}:  # else not there any more, or busy
                raise OSError(error, "madvise(MADV_MERGEABLE) failed")
    finally:
        os.close(pagemap)
    return offered


def _writable() -> list[tuple[int, int]]:
    """Private mappings; those that touch, such as parts that were named before, as one."""
    found: list[tuple[int, int]] = []
    for line in Path("/proc/self/maps").read_text("utf-8", "surrogateescape").splitlines():
        place, flags, _, _, _, *name = line.split(maxsplit=5)
        if not flags.startswith("rw-p") or (name and name[0].startswith("[") and name[0] != "[heap]"):
            continue  # another of the kernel's own, such as the stack
        start, end = (int(part, 16) for part in place.split("-"))
        if found and found[-1][1] == start:
            start, _ = found.pop()
        found.append((start, end))
    return found


def _own_ranges(pagemap: int) -> Iterator[tuple[int, int]]:
    for start, end in _writable():
        entries = os.pread(pagemap, (end - start) // PAGE * _ENTRY, start // PAGE * _ENTRY)
        for run in _OWN.finditer(entries[_ENTRY - 1 :: _ENTRY]):
            yield start + run.start() * PAGE, start + run.end() * PAGE
