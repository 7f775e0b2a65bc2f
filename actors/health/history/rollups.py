"""What a minute, an hour or a day of a session comes to: sums, extremes and a histogram, so that parts can be merged.

Merging is associative and commutative, and exact, since all numbers are whole: an hour made of its minutes is the hour
made of all that was observed in it.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from actors.health.history.entries import Content, Entry, tidy
from actors.health.quality import Quality
from actors.health.status import Status

STEPS_PER_DOUBLING = 8
"""Classes of round-trip times from one value to its double: a percentile is told with an error of 4.5 % at most."""
HIGHEST_CLASS = 127
"""One minute and more."""
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Rollup:
    """A stretch of a session's life."""

    statuses: Mapping[Status, int] = field(default_factory=dict)
    """Milliseconds in each; together as long as it was watched."""
    qualities: Mapping[Quality, int] = field(default_factory=dict)
    """Milliseconds in each; together as long as it had a score."""
    score_min: int | None = None
    score_max: int | None = None
    score_sum: int = 0
    """Each score times the milliseconds for which it held."""
    trips: Mapping[int, int] = field(default_factory=dict)
    """Class of round-trip times -> heartbeats: see ``class_of``."""
    heartbeats: int = 0
    missed: int = 0
    acks: int = 0
    receipts: int = 0
    received: int = 0
    undecryptable: int = 0
    nacks: Mapping[int, int] = field(default_factory=dict)
    """By error code."""
    disconnects: Mapping[str, int] = field(default_factory=dict)
    """Failures by cause."""
    last_cause: tuple[int, str] | None = None
    """The last trouble: when it was last seen, in milliseconds since 1970, and its name."""

    @property
    def watched_ms(self) -> int:
        """How long the session was watched."""
        return sum(self.statuses.values())

    @property
    def score_mean(self) -> float | None:
        """Weighted by time; None without a score."""
        weight = sum(self.qualities.values())
        if weight:
            return self.score_sum / weight
        return None if self.score_min is None or self.score_max is None else (self.score_min + self.score_max) / 2


def class_of(ms: float) -> int:
    """The class of a round-trip time, 0 to ``HIGHEST_CLASS``: its logarithm."""
    return min(HIGHEST_CLASS, max(0, round(STEPS_PER_DOUBLING * math.log2(max(ms, 1.0)))))


def percentile(trips: Mapping[int, int], share: float) -> float | None:
    """The nearest-rank percentile (``share`` in 0..1) in milliseconds, as the middle of its class; None without any."""
    rest = math.ceil(share * sum(trips.values()))
    for number in sorted(trips):
        rest -= trips[number]
        if rest <= 0:
            return float(2 ** (number / STEPS_PER_DOUBLING))
    return None


class Sum:
    """Adds up roll-ups; much cheaper than making one of each two."""

    def __init__(self) -> None:
        self._statuses: Counter[Status] = Counter()
        self._qualities: Counter[Quality] = Counter()
        self._trips: Counter[int] = Counter()
        self._nacks: Counter[int] = Counter()
        self._disconnects: Counter[str] = Counter()
        self._low: int | None = None
        self._high: int | None = None
        self._cause: tuple[int, str] | None = None
        self._scores = self._heartbeats = self._missed = 0
        self._acks = self._receipts = self._received = self._undecryptable = 0

    def add(self, part: Rollup) -> None:
        """One more."""
        _add(self._statuses, part.statuses)
        _add(self._qualities, part.qualities)
        _add(self._trips, part.trips)
        _add(self._nacks, part.nacks)
        _add(self._disconnects, part.disconnects)
        low, high = part.score_min, part.score_max
        if low is not None and (self._low is None or low < self._low):
            self._low = low
        if high is not None and (self._high is None or high > self._high):
            self._high = high
        if part.last_cause is not None and (self._cause is None or part.last_cause > self._cause):
            self._cause = part.last_cause
        self._scores += part.score_sum
        self._heartbeats += part.heartbeats
        self._missed += part.missed
        self._acks += part.acks
        self._receipts += part.receipts
        self._received += part.received
        self._undecryptable += part.undecryptable

    def total(self) -> Rollup:
        """All of it."""
        return Rollup(
            statuses=dict(self._statuses),
            qualities=dict(self._qualities),
            score_min=self._low,
            score_max=self._high,
            score_sum=self._scores,
            trips=dict(self._trips),
            heartbeats=self._heartbeats,
            missed=self._missed,
            acks=self._acks,
            receipts=self._receipts,
            received=self._received,
            undecryptable=self._undecryptable,
            nacks=dict(self._nacks),
            disconnects=dict(self._disconnects),
            last_cause=self._cause,
        )


def _add(to: dict[K, int], part: Mapping[K, int]) -> None:
    for key, count in part.items():
        to[key] = to.get(key, 0) + count


def merge(parts: Iterable[Rollup]) -> Rollup:
    """What parts come to together; of none, nothing."""
    result = Sum()
    for part in parts:
        result.add(part)
    return result.total()


def roll_up(entries: Iterable[Entry]) -> Rollup:
    """What entries come to, of which no two are of the same moment."""
    return merge(map(_of, tidy(list(entries))))


def _of(entry: Entry) -> Rollup:
    content = entry.content
    scored = entry.score is not None
    cause = content.disconnects[-1][0] if content.disconnects else entry.cause
    return Rollup(
        statuses={entry.status: entry.ms} if entry.status is not None and entry.ms else {},
        qualities={entry.quality: entry.ms} if entry.quality is not None and scored and entry.ms else {},
        score_min=entry.score,
        score_max=entry.score,
        score_sum=entry.score * entry.ms if entry.score is not None and entry.quality is not None else 0,
        trips=_trips(content),
        heartbeats=content.heartbeats,
        missed=content.missed,
        acks=content.acks,
        receipts=content.receipts,
        received=content.received,
        undecryptable=content.undecryptable,
        nacks=dict(content.nacks),
        disconnects=dict(content.disconnects),
        last_cause=None if cause is None else (entry.at, cause),
    )


def _trips(content: Content) -> Mapping[int, int]:
    """Of several heartbeats only two percentiles are known: those below the 95th are taken to be like the median."""
    if content.rtt_p50 is None or content.rtt_p95 is None:
        return {}
    count = max(1, content.heartbeats)
    slow = count - math.ceil(0.95 * count) + 1
    trips = Counter({class_of(content.rtt_p95 / 10): slow})
    if count > slow:
        trips[class_of(content.rtt_p50 / 10)] += count - slow
    return dict(trips)
