"""What a forked actor should not keep of its supervisor: the pipes that multiprocessing has for each of its siblings.

The supervisor holds two descriptors a child; a fork copies all of them, and nobody in the child knows of them any more
(`multiprocessing.popen_fork`, Python 3.11 to 3.13).  A shard's last session would hold 64 of them.
"""

import contextlib
import multiprocessing.util as multiprocessing
import os


def install() -> None:
    """Closes them in every process that is forked from here on."""
    os.register_at_fork(after_in_child=_close)


def _close() -> None:
    """The finalizers that would close them are of the supervisor's process: here they do nothing any more."""
    for finalizer in list(multiprocessing._finalizer_registry.values()):  # type: ignore[attr-defined]  # noqa: SLF001
        if finalizer._callback is multiprocessing.close_fds:  # type: ignore[attr-defined]  # noqa: SLF001
            for fd in finalizer._args:  # noqa: SLF001 - as above
                with contextlib.suppress(OSError):
                    os.close(fd)
