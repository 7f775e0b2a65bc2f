"""What a peer may send on a link, and what it did when its link was cut."""

import math
from dataclasses import dataclass
from enum import StrEnum

from actors.runtime.bucket import Bucket

MAX_FRAME = 4 * 1024 * 1024
"""Largest body of a frame in bytes; a longer announcement is a protocol error, it is never allocated."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The link of a peer that sends more is cut."""

    frame: int = MAX_FRAME
    """Bytes of a frame's body."""
    rate: float = math.inf
    """Frames a second that are not the answer to a request under way, on average."""
    burst: int = 1
    """So many at once."""


UNLIMITED = Limits()
"""For peers of our own, as to the number of frames."""


class Breach(StrEnum):
    """What a peer did that had its link cut."""

    MALFORMED = "malformed"
    """It sent what is no frame, or neither a request nor an event nor an answer to what it was asked."""
    FLOOD = "flood"
    """It sent more than it may."""
    NOT_READING = "not_reading"
    """It did not read what it was sent."""


class FloodError(Exception):
    """A peer sends more than it may."""


class Meter:
    """Counts the frames of one peer against its limits; ``now`` is seconds on a clock that only goes forward."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._bucket: Bucket | None = None
        if limits.rate < math.inf:
            self._bucket = Bucket(limits.rate, limits.burst, float(limits.burst), now)

    def count(self, now: float) -> None:
        """One more frame came.  Raises FloodError."""
        if self._bucket is None:
            return
        taken = self._bucket.refilled(now).taken()
        if taken is None:
            raise FloodError(f"it sends more than {self._bucket.rate:g} frames a second")
        self._bucket = taken
