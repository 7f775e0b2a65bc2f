"""Whether a database takes writes: for the heartbeat of its writer, and for a log that says it once a minute."""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from actors.store.errors import StoreError, StoreReason

log = logging.getLogger(__name__)

LOG_PERIOD = 60.0
"""Seconds between two lines of the same kind."""
ROOM = 256 * 1024
"""Bytes that must be free until a disk that was full counts as having room: else it would be full again at once."""
PROBE_PERIOD = 2.0
"""Seconds between looks whether a database that refused takes writes again."""
PROBE = "UPDATE alembic_version SET version_num = version_num"
"""A write that changes nothing, on the one table that every database has."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A database refuses."""

    since: float
    """Seconds since 1970."""
    reason: StoreReason
    sentence: str
    refused: int = 1
    """Transactions."""


class StoreWatch:
    """Of one database.  A writer that was refused stays in trouble until a probe worked: a small write may slip in."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self.trouble: Trouble | None = None
        self._said: dict[str, tuple[float, int]] = {}
        """What the log was told -> when it was last written, and how often it was left out since."""

    def refused(self, error: StoreError) -> None:
        """A transaction was refused."""
        before = self.trouble
        if before is None:
            self.trouble = Trouble(self._clock(), error.reason, str(error))
        else:
            self.trouble = replace(before, reason=error.reason, sentence=str(error), refused=before.refused + 1)

    def works(self) -> None:
        """A probe was stored."""
        if self.trouble is not None:
            seconds = max(0.0, self._clock() - self.trouble.since)
            log.warning("%s works again after %.0f s", self._path.name, seconds)
        self.trouble = None
        self._said.clear()

    def has_room(self) -> bool:
        """Whether the disk has some room again."""
        return free_bytes(self._path.parent) >= ROOM

    def report(self) -> dict[str, Any]:
        """For the heartbeat and the supervision tree."""
        trouble = self.trouble
        return {
            "database": self._path.stem,
            "writable": trouble is None,
            "reason": str(trouble.reason) if trouble else None,
            "since": trouble.since if trouble else None,
            "problem": trouble.sentence if trouble else None,
        }

    def tell(self, to: logging.Logger, what: str, error: StoreError) -> None:
        """Writes a line, unless the same was written within the last minute."""
        now = self._clock()
        at, left_out = self._said.get(what, (None, 0))
        if at is not None and 0 <= now - at < LOG_PERIOD:
            self._said[what] = (at, left_out + 1)
            return
        self._said[what] = (now, 0)
        to.error("%s: %s%s", what, error, f" ({left_out} times more since the last line)" if left_out else "")


def free_bytes(folder: Path) -> int:
    """Bytes that this user may still write on the disk of a folder; 0 if that can't be found out."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize
