"""Main in place of main: the same command line in the same process; of before, only pid and signals are left."""

import logging
import os
import signal
import sys
import time
from collections.abc import Iterable

from actors.runtime.process import end_children
from daemon import healing
from daemon.loading import VARIABLE

log = logging.getLogger(__name__)

END_PATIENCE = 5.0
"""Seconds for what the keeper left behind to be gone."""


def execute(stopping: Iterable[signal.Signals]) -> int:
    """Replaces this process.  Returns only if that is not to be: 0 if one of ``stopping`` came, else 1.

    Everything must be closed, and the signals blocked: one that comes from here on waits for the successor, which obeys
    it before it loads anything.
    """
    if left := end_children(END_PATIENCE):
        log.critical("these processes can't be killed, and nothing is started beside them: %s", left)
        return 1
    decision = healing.again(healing.read_starts(os.environ.get(VARIABLE, "")), time.monotonic())
    if decision is None:
        log.critical("lost too often within %g s; ending, so that the service manager decides", healing.PERIOD)
        return 1
    if signal.sigtimedwait(list(stopping), decision.pause) is not None:
        return 0
    log.warning("starting afresh in place")
    environment = {**os.environ, VARIABLE: healing.write_starts(decision.starts)}
    sys.stderr.flush()
    try:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606 - that is the point
    except OSError as error:  # the interpreter was removed or replaced
        log.critical("%s can't be executed: %s", sys.executable, error)
        return 1
