"""The end of the daemon's log: from the journal, or from the file that its stderr is."""

import os
import re
import shutil
import stat
import subprocess
from collections import deque
from pathlib import Path

UNIT = "wavigil.service"
PATIENCE = 20.0
"""Seconds for journalctl."""
LONGEST_TAIL = 16 * 1024 * 1024
"""Bytes that are looked at from the end of a file."""

_UNIT = re.compile(r"/([^/]+\.service)(?:/|$)")


class NoLog(OSError):
    """There is none to be had; the sentence says why."""


def unit_of(cgroup: str) -> str | None:
    """The systemd unit in /proc/PID/cgroup; None if there is none."""
    found = [match[1] for line in cgroup.splitlines() if (match := _UNIT.search(line))]
    return found[-1] if found else None


def tail(main: int | None, lines: int) -> str:
    """The last lines of the log.  Raises NoLog, OSError or subprocess.SubprocessError."""
    if main is not None and (path := _file_of(main)) is not None:
        return _end_of(path, lines)
    unit = UNIT
    if main is not None:
        unit = unit_of(Path(f"/proc/{main}/cgroup").read_text("utf-8")) or UNIT
    journalctl = shutil.which("journalctl")
    if journalctl is None:
        raise NoLog("there is no journalctl, and no running daemon whose stderr is a file")
    done = subprocess.run(  # noqa: S603 - found on PATH, with fixed arguments
        [journalctl, "--unit", unit, "--lines", str(lines), "--output", "short-iso", "--no-pager", "--quiet"],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE,
    )
    text = done.stdout.decode(errors="replace")
    if done.returncode != 0 or not text.strip():
        said = done.stderr.decode(errors="replace").strip()
        raise NoLog(f"journalctl has nothing of {unit}" + (f": {said}" if said else ""))
    return text


def _file_of(pid: int) -> Path | None:
    """The file that a process' stderr is; None if it is something else."""
    path = Path(f"/proc/{pid}/fd/2")
    return path if stat.S_ISREG(path.stat().st_mode) else None


def _end_of(path: Path, lines: int) -> str:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - LONGEST_TAIL))
        last = deque(file, maxlen=lines)
    return b"".join(last).decode(errors="replace")
