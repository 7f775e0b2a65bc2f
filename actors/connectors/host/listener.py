"""The process that listens on a connector's socket, where that is a child of the one that was started: of a shell, say.

That one's end tells nothing of it, so it is watched, and ended, by itself.
"""

import contextlib
import os
import select
import signal
import weakref

from actors.runtime.process import parent_of


class Listener:
    """``pid`` listens; ``started`` is the process that was started.  One that does not descend from it is not ours."""

    def __init__(self, pid: int, started: int) -> None:
        self._fd: int | None = None
        if pid != started and _descends(pid, started):
            with contextlib.suppress(OSError):  # it has ended, or there are no more open files: its link tells of it
                self._fd = os.pidfd_open(pid)
        if self._fd is not None:
            weakref.finalize(self, os.close, self._fd)

    @property
    def gone(self) -> bool:
        """Whether it has ended; so it is for one that is nobody else than the process that was started."""
        if self._fd is None:
            return True
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(0))

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        if self._fd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._fd, signal.SIGKILL)


def _descends(pid: int, ancestor: int) -> bool:
    """Whether it is a child of that process, or of one of its children."""
    at: int | None = pid
    while at is not None and at > 1:
        if (at := parent_of(at)) == ancestor:
            return True
    return False
