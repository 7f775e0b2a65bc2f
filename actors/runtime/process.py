"""What a process asks of Linux: to die with its parent, to inherit orphans, to open many files, to be watched."""

import contextlib
import ctypes
import gc
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, argument: int | bytes) -> None:
    if _libc.prctl(option, argument, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")


def die_with_parent(parent: int | None = None, patience: float = 2.0) -> None:
    """From now on the kernel kills this process (SIGKILL) when its parent dies.

    ``parent`` is the pid that must be the parent; a process on its way to being re-parented to it waits up to
    ``patience`` seconds.  Exits at once if the parent is gone already: the signal would never come.
    """
    expected = os.getppid() if parent is None else parent
    end = time.monotonic() + patience
    while os.getppid() != expected and time.monotonic() < end:
        time.sleep(0.001)
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != expected:
        os._exit(0)


def ignore_termination() -> None:
    """Leaves SIGTERM, SIGINT and SIGHUP to main.

    A service manager or a terminal sends them to the whole group at once: a tree whose leaves end first takes that
    for crashes.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def settle_actor() -> None:
    """The first thing an actor does in its process: it dies with its creator, and only main answers to signals.

    The creator is the one that forked it, also when that is gone by now: then it exits, before an orphan nobody knows
    can open a connection that its successor opens as well.
    """
    creator = multiprocessing.parent_process()
    die_with_parent(creator.pid if creator is not None else None, patience=0.0)
    ignore_termination()
    gc.freeze()  # the collector would write into every page that it inherited


def set_name(name: str) -> None:
    """The name shown by ps and top; the kernel keeps 15 bytes."""
    _prctl(PR_SET_NAME, name.encode()[:15])


def adopt_orphans() -> None:
    """Descendants whose parent dies become children of this process, so that it can reap and end them."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def raise_open_files(wanted: int = 65536) -> int:
    """Raises the soft limit of open files towards ``wanted``; returns what is in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < target:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
        return target
    return soft


def kill_quietly(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Signals a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def parent_of(pid: int) -> int | None:
    """The parent of a process, or None if that is gone."""
    try:
        return int(_stat(pid)[1])
    except OSError:
        return None


def is_stopped(pid: int) -> bool:
    """Whether a process was stopped by a signal, or by a debugger."""
    try:
        return _stat(pid)[0] in {"T", "t"}
    except OSError:
        return False


def _stat(pid: int) -> list[str]:
    """The fields after the name of a process, which may hold anything, and end amid a character.  Raises OSError."""
    return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()


def children() -> list[int]:
    """The children of this process, zombies included."""
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split()]


def listens_on(pid: int, port: int) -> bool:
    """Whether a process has a TCP listener on that port."""
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:
        return False
    return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in connections)


def end_group(group: int) -> None:
    """SIGKILL to a process group that may be gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def reap() -> None:
    """Buries whichever child has ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def end_children(patience: float, meanwhile: Callable[[], None] = lambda: None) -> list[int]:
    """Kills and reaps until this process has no child left; orphans that come to it in between included.

    Calls ``meanwhile`` each few milliseconds.  Returns the pids that are left after ``patience`` seconds.
    """
    end = time.monotonic() + patience
    while (left := children()) and time.monotonic() < end:
        for pid in left:
            kill_quietly(pid)
        reap()
        meanwhile()
        time.sleep(0.002)
    return left


def rss_bytes(pid: int) -> int | None:
    """Resident memory of a process, or None if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * resource.getpagesize()
    except (OSError, IndexError, ValueError):
        return None
