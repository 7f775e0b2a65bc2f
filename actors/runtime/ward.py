"""Becomes another program, which the kernel kills when the parent dies: ``python ward.py PARENT PROGRAM ARGUMENT…``.

For parents that have threads: between fork and exec of such a one no Python may run (``preexec_fn``).  It is run as a
file, so it needs neither this package nor an environment; the signal outlives exec (``man 2 PR_SET_PDEATHSIG``).
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Does not return.  ``parent`` is the pid that the parent must have: else it is gone, and no signal comes."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() == parent:
        os.execvp(command[0], command)  # noqa: S606 - that is what it is for


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
