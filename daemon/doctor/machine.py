"""Clock, kernel, Node.js, /proc."""

import ctypes
import os
import re
import time

from actors.connectors.node import MINIMUM_MAJOR, NodeNotFound, find_node
from daemon.doctor.finding import Finding, fail, ok, warn

STA_UNSYNC = 0x0040
"""Of adjtimex(2): nobody disciplines the clock."""
EARLIEST_YEAR, LATEST_YEAR = 2025, 2100
PR_GET_CHILD_SUBREAPER = 37


class _Timex(ctypes.Structure):
    """The beginning of struct timex (adjtimex(2)), and room for the rest of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 512),
    )


def clock_synchronised() -> bool | None:
    """What the kernel knows; None if it does not tell.  Sets nothing (``modes`` is 0)."""
    timex = _Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex)) < 0:
        return None
    return not timex.status & STA_UNSYNC


def clock(synchronised: bool | None, year: int) -> Finding:
    """Logins, deadlines, bans and TLS need the right time."""
    remedy = "let systemd-timesyncd, chrony or ntpd keep it: timedatectl set-ntp true"
    if not EARLIEST_YEAR <= year <= LATEST_YEAR:
        return fail("clock", f"the year is {year}", f"set the clock; then {remedy}")
    if synchronised is False:
        return warn("clock", "nobody keeps the clock (it is not synchronised)", remedy)
    return ok("clock", "is synchronised" if synchronised else "has a sane year; the kernel does not say who keeps it")


def year() -> int:
    """Of now."""
    return time.gmtime().tm_year


def kernel() -> Finding:
    """What supervision stands on."""
    missing = []
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (OSError, AttributeError):
        missing.append("pidfd_open")
    if ctypes.CDLL(None).prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(ctypes.c_int()), 0, 0, 0) != 0:
        missing.append("PR_SET_CHILD_SUBREAPER")
    release = os.uname().release
    if missing:
        return fail(
            "kernel", f"{release} lacks {', '.join(missing)}", "use Linux 5.3 or newer; look at seccomp filters"
        )
    return ok("kernel", f"{release} has pidfd and child subreapers")


def node(wanted: int) -> Finding:
    """Node.js, which ``wanted`` sessions need."""
    try:
        found = find_node()
    except NodeNotFound as error:
        if wanted:
            return fail("node", f"{wanted} sessions need Node.js: {error}", "make setup, or let WAVIGIL_NODE name one")
        return ok("node", f"none of version {MINIMUM_MAJOR} or newer, and no session that needs it")
    return ok("node", f"{found.version} at {found.path}")


def proc(mounts: str, readable: bool) -> Finding:
    """``mounts`` is /proc/mounts; ``readable``: can /proc/meminfo and /proc/stat be read?"""
    options = re.search(r"^\S+ /proc proc (\S+)", mounts, re.MULTILINE)
    given = dict(option.partition("=")[::2] for option in options[1].split(",")) if options else {}
    if not readable or given.get("subset") == "pid":
        return warn("proc", "/proc/meminfo is hidden (ProcSubset=pid)", "ProcSubset=all in the unit: metrics need it")
    hidden = given.get("hidepid", "0")
    if hidden not in {"0", "off"}:
        return ok("proc", f"hidepid={hidden}: the processes of other users are not seen, which wavigil does not need")
    return ok("proc", "is complete")
