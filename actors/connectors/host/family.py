"""A process and all that it has started: ended together, as whoever was started by a shell, say, has no other name.

Each is stopped before its children are asked for: it starts no more of them, and they keep their parent, by which they
are found.
"""

import asyncio
import contextlib
import os
import signal
import weakref
from pathlib import Path

from actors.runtime.process import parent_of


class Family:
    """``pid``, an unburied child of this process, and all that descend from it as of now; they stand still."""

    def __init__(self, pid: int) -> None:
        self._fds: dict[int, int] = {}
        self._take(pid, os.getpid())
        found = 0
        while found < len(self._fds):  # one may have been about to start another when it was stopped
            found = len(self._fds)
            for parent in list(self._fds):
                for child in _children(parent):
                    self._take(child, parent)
        weakref.finalize(self, _close, self._fds)

    def kill(self) -> None:
        """SIGKILL to those that still are."""
        for fd in self._fds.values():
            _send(fd, signal.SIGKILL)

    async def ended(self) -> None:
        """Returns when all have ended; who waits for a child buries it."""
        loop = asyncio.get_running_loop()
        for fd in self._fds.values():
            over = asyncio.Event()
            loop.add_reader(fd, over.set)
            try:
                await over.wait()
            finally:
                loop.remove_reader(fd)

    def _take(self, pid: int, parent: int) -> None:
        if pid in self._fds:
            return
        try:
            fd = os.pidfd_open(pid)
        except OSError:  # it has ended, or there are no more open files
            return
        if parent_of(pid) != parent:  # another one has its number by now
            os.close(fd)
            return
        self._fds[pid] = fd
        _send(fd, signal.SIGSTOP)


def _send(fd: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        signal.pidfd_send_signal(fd, number)


def _children(pid: int) -> list[int]:
    """Of all its threads; none of one that is gone."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (task / "children").read_text("ascii").split())
    return found


def _close(fds: dict[int, int]) -> None:
    for fd in fds.values():
        os.close(fd)
