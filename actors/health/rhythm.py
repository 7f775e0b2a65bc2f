"""How often something usually arrives at a session, learned for each hour of the week.  Pure.

What is counted are *busy minutes*: minutes in which anything arrived that nobody of ours had asked for.  A burst of a
hundred messages is one busy minute, so neither a lively conversation nor a campaign bends the rhythm.

For each of the 168 hours of a week two numbers are kept: minutes observed and minutes busy, both forgotten with a
memory of `MEMORY` observed minutes of that hour (a discount as in West and Harrison, *Bayesian Forecasting and Dynamic
Models*, 2.3.4 and 6.3).  The share q of busy minutes of an hour is taken for Beta(a, b) distributed; then a silence of
t whole minutes has the probability that a beta-binomial gives to no success in t tries (Johnson, Kemp and Kotz,
*Univariate Discrete Distributions*, 6.2.2):

    P(t) = B(a, b + t) / B(a, b) = G(b + t) G(a + b) / (G(b) G(a + b + t)),   B: beta function, G: gamma function

The uncertainty of q makes it fall slower than (1 - q)^t: no two Mondays are the same, however many were seen.  That
stays so, for a + b is at most `SUREST`.  While an hour is young its a and b lean on the same hour of the other days
with the weight of `DAYS_WEIGHT` minutes, and these on the fleet's same hour with that of `FLEET_WEIGHT`.  A silence
over several hours has the product of theirs.

Hours are those of a time zone, by default UTC; in a zone with daylight saving time the rhythm moves with the clocks.
Times are seconds since 1970.
"""

import math
from array import array
from collections.abc import Iterable
from datetime import datetime, tzinfo
from functools import lru_cache

WEEK, DAY_HOURS, DAYS = 168, 24, 7
"""Hours of a week and of a day, and days of a week."""
MEMORY = 240.0
"""Observed minutes after which what was learned of an hour weighs 1/e: four weeks."""
SUREST = 120.0
"""Minutes: an hour is never taken to be better known than by so many."""
DAYS_WEIGHT, FLEET_WEIGHT = 4.0, 1.0
"""Minutes."""
MINUTE, HOUR = 60.0, 3600.0
SILENT_AT_LEAST = 180.0
"""Seconds; a shorter silence is never unusual."""
_MOST_BUSY = 0.999
_LEARNED = 8 + 8 * WEEK
"""Bytes of what is learned, as it is stored."""
_NONE = -1.0
_NEGLIGIBLE = -60.0
"""Logarithm of a probability below which nothing more is added."""

Shares = array
"""Share of busy minutes, 0 to 1, by hour of the week."""


def no_shares() -> "array[float]":
    """Those of a fleet that has learned nothing yet."""
    return array("f", bytes(4 * WEEK))


@lru_cache(maxsize=4096)
def hour_of_week(hour: int, zone: tzinfo) -> int:
    """0 is Monday from 0:00 on; ``hour`` counts since 1970 in UTC."""
    moment = datetime.fromtimestamp(hour * HOUR, zone)
    return moment.weekday() * DAY_HOURS + moment.hour


class Rhythm:
    """The rhythm of one session: 1.3 KB, and work only when something arrives."""

    __slots__ = ("_busy", "_continues", "_next", "_observed", "_paused", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        """When learning began."""
        self._observed = no_shares()
        self._busy = no_shares()
        self._next: int | None = None
        """The first minute since 1970 that is not learned yet; None: nothing is observed now."""
        self._paused: int | None = None
        self._continues = False
        """Where its observation stood is what an earlier process stored."""

    # learning

    def opened(self, at: float) -> None:
        """The connection is open: from the second minute on it is observed; in the first comes what was kept for it."""
        self._next, self._paused, self._continues = int(at // MINUTE) + 2, None, False

    def resumes(self, opened_at: float, now: float) -> bool:
        """Whether what was stored was observed on the connection that is open since then: it goes on where it ended."""
        if not self._continues or self._next is None:
            return False
        return int(opened_at // MINUTE) < self._next <= int(now // MINUTE) + 2

    def continued(self, last_delivery: float | None, at: float) -> None:
        """The first that a process hears of a connection that an earlier one observed.

        As long as nothing has come since the minute that was stored, the silence goes on; else nobody knows how many
        minutes were busy, and it begins anew.
        """
        if not self._continues or self._next is None:
            return
        self._continues = False
        if last_delivery is None or int(last_delivery // MINUTE) >= self._next:
            self._next, self._paused = max(self._next, int(at // MINUTE) + 1), None

    def heard(self, at: float, zone: tzinfo) -> None:
        """Something arrived: its minute was busy, those since the one before it were not."""
        minute = int(at // MINUTE)
        if self._next is None or self._paused is not None or minute < self._next:
            return
        self._silent_until(minute, zone)
        self._learn(hour_of_week(minute // 60, zone), 1.0, 1.0)
        self._next = minute + 1

    def pause(self, at: float) -> None:
        """From now on what arrives may be a canary, which is none of the session's rhythm."""
        if self._next is not None and self._paused is None:
            self._paused = int(at // MINUTE)

    def resume(self, at: float, zone: tzinfo) -> None:
        """No canary is under way, and the session hears: the silence before it was a true one."""
        if self._next is not None and self._paused is not None:
            self._silent_until(self._paused, zone)
            self._next, self._paused = max(self._next, int(at // MINUTE) + 1), None

    def closed(self, at: float, zone: tzinfo) -> None:
        """The connection ended; the silence before its end counts."""
        if self._next is not None:
            self._silent_until(int(at // MINUTE) if self._paused is None else self._paused, zone)
        self._next = self._paused = None

    def disregard(self) -> None:
        """The session was deaf: the silence was none."""
        self._next = self._paused = None

    def _silent_until(self, minute: int, zone: tzinfo) -> None:
        at = self._next
        while at is not None and at < minute:
            end = min(minute, (at // 60 + 1) * 60)
            self._learn(hour_of_week(at // 60, zone), float(end - at), 0.0)
            at = self._next = end

    def _learn(self, cell: int, observed: float, busy: float) -> None:
        keep = math.exp(-observed / MEMORY)
        self._observed[cell] = self._observed[cell] * keep + observed
        self._busy[cell] = self._busy[cell] * keep + busy

    # asking

    def silence(self, since: float, now: float, zone: tzinfo, fleet: "array[float]") -> float:
        """The probability of a silence at least as long as that from ``since`` to ``now``; 1 below the shortest."""
        if now - since < SILENT_AT_LEAST:
            return 1.0
        at, end = math.floor(since / MINUTE) + 1.0, now / MINUTE
        logarithm = 0.0
        while at < end and logarithm > _NEGLIGIBLE:
            until = min(end, (at // 60 + 1) * 60)
            logarithm += _no_success(*self._belief(hour_of_week(int(at // 60), zone), fleet), until - at)
            at = until
        return math.exp(logarithm)

    def _belief(self, cell: int, fleet: "array[float]") -> tuple[float, float]:
        """The a and b of an hour of the week."""
        observed, busy = self._observed[cell], self._busy[cell]
        if observed >= SUREST + DAYS_WEIGHT:
            prior, share = 0.0, 0.0
        else:
            days = range(cell % DAY_HOURS, WEEK, DAY_HOURS)
            others = sum(self._observed[day] for day in days) - observed
            share = (sum(self._busy[day] for day in days) - busy + FLEET_WEIGHT * fleet[cell]) / (others + FLEET_WEIGHT)
            prior = min(DAYS_WEIGHT, FLEET_WEIGHT + others)
        mean = min(_MOST_BUSY, (busy + prior * share) / (observed + prior))
        sure = min(SUREST, observed + prior)
        return sure * mean, sure * (1 - mean)

    def share(self, cell: int) -> float | None:
        """Share of busy minutes as observed in an hour of the week; None without any observation."""
        return self._busy[cell] / self._observed[cell] if self._observed[cell] else None

    # storing

    def dump(self) -> bytes:
        """What is learned, and up to when, for `load`."""
        stands = array("d", (_NONE if minute is None else minute for minute in (self._next, self._paused)))
        learned = array("d", [self.since]).tobytes() + self._observed.tobytes() + self._busy.tobytes()
        return learned + stands.tobytes()

    @classmethod
    def load(cls, stored: bytes) -> "Rhythm":
        """The inverse.  Raises ValueError for something else."""
        if len(stored) not in {_LEARNED, _LEARNED + 16}:  # the shorter one is of a version that did not store the rest
            raise ValueError(f"a stored rhythm of {len(stored)} bytes")
        rhythm = cls(memoryview(stored)[:8].cast("d")[0])
        rhythm._observed = array("f", memoryview(stored)[8 : 8 + 4 * WEEK].cast("f"))
        rhythm._busy = array("f", memoryview(stored)[8 + 4 * WEEK : _LEARNED].cast("f"))
        stands = array("d", memoryview(stored)[_LEARNED:].cast("d"))
        numbers = (*rhythm._observed, *rhythm._busy, rhythm.since, *(minute for minute in stands if minute != _NONE))
        if not all(0 <= number < math.inf for number in numbers):
            raise ValueError("a stored rhythm with impossible numbers")
        if stands and stands[0] != _NONE:
            rhythm._next = int(stands[0])
            rhythm._paused = None if stands[1] == _NONE else int(stands[1])
            rhythm._continues = True
        return rhythm


def _no_success(a: float, b: float, tries: float) -> float:
    """Logarithm of the beta-binomial probability of no success."""
    if a <= 0:
        return 0.0
    return math.lgamma(b + tries) - math.lgamma(b) + math.lgamma(a + b) - math.lgamma(a + b + tries)


def fleet_shares(rhythms: Iterable[Rhythm]) -> "array[float]":
    """The mean of the sessions' own shares, by hour of the week."""
    total, count = [0.0] * WEEK, [0] * WEEK
    for rhythm in rhythms:
        for cell in range(WEEK):
            if (share := rhythm.share(cell)) is not None:
                total[cell] += share
                count[cell] += 1
    return array("f", (one / max(1, number) for one, number in zip(total, count, strict=True)))
