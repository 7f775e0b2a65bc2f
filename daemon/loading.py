"""Signals to main while its modules are loaded, which takes seconds on a busy machine."""

import os
import signal
from typing import Any

VARIABLE = "WAVIGIL_FRESH_STARTS"
"""Environment variable that holds the times of fresh starts (see `healing`)."""
STOPPING = (signal.SIGTERM, signal.SIGINT)
"""What ends main in order."""


def obey() -> None:
    """Has one that was executed in the place of another (`rebirth`) obey those that came since then, and do, at once.

    They come to it blocked; it has opened nothing yet and started nobody, so that its end is in order: status 0.  Any
    other process is ended by them in any case.
    """
    if VARIABLE in os.environ and signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ()):
        for number in STOPPING:
            signal.signal(number, _end)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def _end(_number: int, _frame: Any) -> None:
    os._exit(0)
