"""Limits of a token: requests a second and at once.

The decision is pure; the limiter keeps the values.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket: what was left in it at a moment."""

    left: float
    """0 … burst."""
    at: float
    """Seconds, monotonic."""


def take(bucket: Bucket | None, now: float, rate: float, burst: int) -> tuple[Bucket, float]:
    """Take one out, if there is one.

    Returns the bucket and the seconds until there will be one: 0.0 means taken.

    ``rate`` is refilled a second, up to ``burst``; a new bucket is full.  A clock that stands still or jumps
    back refills nothing.
    """
    if bucket is None:
        bucket = Bucket(float(burst), now)
    left = min(float(burst), bucket.left + max(0.0, now - bucket.at) * rate)
    if left >= 1.0:
        return Bucket(left - 1.0, now), 0.0
    return Bucket(left, now), (1.0 - left) / rate


class LimitReachedError(Exception):
    """A request is over its token's limit; ``retry_after`` is in whole seconds, at least 1."""

    def __init__(self, what: str, retry_after: float) -> None:
        super().__init__(what)
        self.what = what
        self.retry_after = max(1, math.ceil(retry_after))


class Limiter:
    """Counts what each token uses.  Names come from the configuration, so there are few of them."""

    def __init__(self, rate: float, burst: int, concurrency: int, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._concurrency = concurrency
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}
        self._running: dict[str, int] = {}

    def change(self, rate: float, burst: int, concurrency: int) -> None:
        """Other limits, for the requests to come; what was used of the old ones counts."""
        self._rate, self._burst, self._concurrency = rate, burst, concurrency

    @contextmanager
    def admit(self, name: str) -> Iterator[None]:
        """Hold a place for one request of a token while its handler runs.

        Raises:
            LimitReachedError: too many a second, or too many at once.
        """
        self._buckets[name], wait = take(self._buckets.get(name), self._clock(), self._rate, self._burst)
        if wait > 0:
            raise LimitReachedError(f"more than {self._rate:g} requests a second (and {self._burst} at a stroke)", wait)
        if self._running.get(name, 0) >= self._concurrency:
            raise LimitReachedError(f"more than {self._concurrency} requests at once", 1.0)
        self._running[name] = self._running.get(name, 0) + 1
        try:
            yield
        finally:
            self._running[name] -= 1
