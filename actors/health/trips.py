"""Round-trip times of a session's heartbeats, and where they go.  Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

RECENT_S = 60.0
"""Seconds of the latest round-trip times, which are compared with those before."""
FEWEST_TRIPS = 3
"""On both sides of a comparison."""


@dataclass(frozen=True, slots=True)
class Trip:
    """Round-trip times of one sample."""

    at: float
    heartbeats: int
    p50_ms: float
    p95_ms: float


def weighted(trips: Sequence[Trip], share: float, name: str) -> float:
    """A percentile (``share`` in 0..1) of one of the times of trips, each of which counts as its heartbeats do."""
    if all(t.heartbeats <= 1 for t in trips):  # as usual
        return float(sorted(map(attrgetter(name), trips))[max(0, math.ceil(share * len(trips)) - 1)])
    ordered = sorted((float(getattr(t, name)), max(1, t.heartbeats)) for t in trips)
    rest = share * sum(weight for _, weight in ordered)
    for value, weight in ordered:
        rest -= weight
        if rest <= 0:
            return value
    return ordered[-1][0]


@dataclass(frozen=True, slots=True)
class Trend:
    """Where round-trip times go."""

    ratio: float
    """The median of the last minute, in those of the 4 minutes before; above 1 they rise."""
    recent_ms: float


def trend(trips: Sequence[Trip]) -> Trend | None:
    """As of the last round-trip time; None with too few on either side."""
    if not trips:
        return None
    border = trips[-1].at - RECENT_S
    recent = [t for t in trips if t.at > border]
    before = [t for t in trips if t.at <= border]
    if min(len(recent), len(before)) < FEWEST_TRIPS:
        return None
    now_ms, then_ms = weighted(recent, 0.5, "p50_ms"), weighted(before, 0.5, "p50_ms")
    return Trend(now_ms / max(then_ms, 1.0), now_ms)
