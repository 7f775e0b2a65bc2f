"""How soon Thespian 4.0.1 tries again to send: after milliseconds, where it may wait for minutes.

A message to a receiver that another message is under way to waits for that one's connection to come free.  When the
connection is lost instead (each of two processes that begin to talk at once closes one of the two connections), nobody
looks at those that wait for 150 s, unless a further message to the same receiver is scheduled: which a window
(`actors.runtime.outbox`) prevents.  Attempts that failed are repeated after 35 s, 70 s and so on.
"""

import random
from typing import Any

from thespian.system.timing import ExpirationTimer
from thespian.system.transport import TransmitIntent

FIRST = 0.02
"""Seconds before the second attempt; doubled for each further one."""
LONGEST = 1.0
ATTEMPTS = 20
"""After as many in vain, about 15 s, the message is given up: its receiver is no more."""
SLOT_PATIENCE = 0.1
"""Seconds until a message that waits for a connection looks whether there is still one to wait for."""


def install() -> None:
    """Replaces them in this process and all that it forks."""
    TransmitIntent.retry = _retry
    TransmitIntent.awaitingTXSlot = _awaiting_slot
    TransmitIntent.timeToRetry = _time_to_retry


def retry_delay(attempt: int, rng: random.Random) -> float:
    """Seconds until attempt ``attempt`` + 1; the jitter keeps two ends from meeting again."""
    doubled: float = FIRST * 2.0 ** (attempt - 1)
    return min(LONGEST, doubled) * rng.uniform(0.5, 1.0)


_rng = random.Random()


def _retry(self: Any, immediately: bool = False) -> bool:
    """In place of ``TransmitIntent.retry``."""
    if self._attempts >= ATTEMPTS or self.expired():
        return False
    self._attempts += 1
    self._retryTime = ExpirationTimer(0.0 if immediately else retry_delay(self._attempts, _rng))
    return True


def _awaiting_slot(self: Any) -> None:
    """In place of ``TransmitIntent.awaitingTXSlot``: with a time at which it looks again."""
    self._awaitingTXSlot = True
    self._retryTime = ExpirationTimer(SLOT_PATIENCE)


def _time_to_retry(self: Any, socketAvail: bool = False) -> bool:  # noqa: N803 - Thespian's own name
    """In place of ``TransmitIntent.timeToRetry``: who waits for a connection also looks again in time."""
    at = getattr(self, "_retryTime", None)
    due = at is not None and at.view().expired()
    if not due and not (socketAvail and (at is None or getattr(self, "_awaitingTXSlot", False))):
        return False
    for name in ("_retryTime", "_awaitingTXSlot"):
        if hasattr(self, name):
            delattr(self, name)
    return True
