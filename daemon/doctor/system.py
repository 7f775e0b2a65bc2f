"""Reading what Linux knows: limits, memory, control groups, locks, ports.

Parsers are pure; what looks at the machine is called read_something.
"""

from collections.abc import Iterator
from pathlib import Path

import psutil

from config import rules

CGROUPS = Path("/sys/fs/cgroup")
HUGE = 1 << 60
"""What version 1 of control groups says for "no limit" is beyond this."""


def parse_limits(text: str) -> dict[str, tuple[int | None, int | None]]:
    """/proc/PID/limits: name to soft and hard limit, None for unlimited (proc(5))."""
    limits: dict[str, tuple[int | None, int | None]] = {}
    for line in text.splitlines()[1:]:
        name, soft, hard = line[:26].strip(), *line[26:].split()[:2]
        limits[name] = (None if soft == "unlimited" else int(soft), None if hard == "unlimited" else int(hard))
    return limits


def read_limits(pid: int | None) -> dict[str, tuple[int | None, int | None]]:
    """Of a process, or of this one.  Raises OSError."""
    return parse_limits(Path(f"/proc/{'self' if pid is None else pid}/limits").read_text("ascii"))


def parse_meminfo(text: str) -> dict[str, int]:
    """/proc/meminfo, in bytes (counts of pages as they are)."""
    values = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        number, *unit = rest.split()
        values[name] = int(number) * (1024 if unit == ["kB"] else 1)
    return values


def parse_cgroups(text: str, controller: str, files: tuple[str, str]) -> list[Path]:
    """/proc/PID/cgroup: files that may bound ``controller``, innermost first (cgroups(7)).

    ``files`` are the names in versions 2 and 1.
    """
    found: list[Path] = []
    for line in text.splitlines():
        number, controllers, path = line.split(":", 2)
        second = number == "0" and not controllers
        if not second and controller not in controllers.split(","):
            continue
        base, file = (CGROUPS, files[0]) if second else (CGROUPS / controller, files[1])
        here = base / path.strip("/")
        found += [folder / file for folder in (here, *here.parents) if folder.is_relative_to(base)]
    return found


def _numbers(paths: list[Path]) -> Iterator[tuple[Path, int]]:
    for path in paths:
        try:
            yield path, int(path.read_text("ascii"))
        except (OSError, ValueError):  # not there, or "max"
            continue


def read_cgroup_memory_left(pid: int | None) -> int | None:
    """Bytes until the tightest memory bound of a process' control groups; None without one."""
    text = Path(f"/proc/{'self' if pid is None else pid}/cgroup").read_text("utf-8")
    left = []
    for path, bound in _numbers(parse_cgroups(text, "memory", ("memory.max", "memory.limit_in_bytes"))):
        usage = "memory.current" if path.name == "memory.max" else "memory.usage_in_bytes"
        used = dict(_numbers([path.with_name(usage)])).get(path.with_name(usage), 0)
        if bound < HUGE:
            left.append(max(0, bound - used))
    return min(left, default=None)


def read_task_limits(pid: int | None) -> dict[str, int]:
    """Every bound on tasks, by the name an administrator knows it by."""
    limits: dict[str, int] = {}
    soft = read_limits(pid).get("Max processes", (None, None))[0]
    if soft is not None:
        limits["RLIMIT_NPROC"] = soft
    text = Path(f"/proc/{'self' if pid is None else pid}/cgroup").read_text("utf-8")
    bounds = [bound for _, bound in _numbers(parse_cgroups(text, "pids", ("pids.max", "pids.max")))]
    if bounds:
        limits["pids.max"] = min(bounds)
    for name in ("pid_max", "threads-max"):
        limits.update((name, bound) for _, bound in _numbers([Path("/proc/sys/kernel", name)]))
    return limits


def locked(locks: str, inode: int, pid: str) -> bool:
    """Whether /proc/locks has a lock of that process on a file; unlike flock(2), looking takes none.

    The device is not compared: some file systems show another one there than in stat(2).
    """
    entries = (line.split() for line in locks.splitlines())
    return any(len(entry) > 5 and entry[4] == pid and entry[5].endswith(f":{inode}") for entry in entries)  # noqa: PLR2004 - columns of proc(5)


def read_main_pid(state_dir: Path) -> int | None:
    """Pid of the daemon that holds the lock of a state directory; None if none does.  Raises PermissionError."""
    path = state_dir / "lock"
    try:
        inode = path.stat().st_ino
        holder = path.read_text("ascii").strip()
    except FileNotFoundError:
        return None
    return int(holder) if locked(Path("/proc/locks").read_text("ascii"), inode, holder) else None


def read_processes(main: int | None) -> list[psutil.Process]:
    """The daemon's: main and all below it."""
    if main is None:
        return []
    try:
        top = psutil.Process(main)
        return [top, *top.children(recursive=True)]
    except psutil.Error:
        return []


def read_memory_used(processes: list[psutil.Process]) -> int:
    """Bytes (PSS) of those that this user may look at."""
    used = 0
    for process in processes:
        try:
            used += process.memory_full_info().pss
        except psutil.Error:
            continue
    return used


def read_open_ports(processes: list[psutil.Process]) -> tuple[set[str], int]:
    """Addresses off loopback that the processes listen on, and how many of them this user may not look at."""
    found: set[str] = set()
    unseen = 0
    for process in processes:
        try:
            connections = process.net_connections("inet")
        except psutil.NoSuchProcess:
            continue
        except psutil.Error:
            unseen += 1
            continue
        found |= {
            f"{connection.laddr.ip}:{connection.laddr.port}"
            for connection in connections
            if connection.status == psutil.CONN_LISTEN and not rules.is_loopback(connection.laddr.ip)
        }
    return found, unseen


def read_others_tasks(owner: int, own: list[psutil.Process]) -> int:
    """Tasks of a user that are not the daemon's."""
    ours = {process.pid for process in own}
    total = 0
    for process in psutil.process_iter():
        try:
            if process.pid not in ours and process.uids().real == owner:
                total += process.num_threads()
        except psutil.Error:
            continue
    return total
