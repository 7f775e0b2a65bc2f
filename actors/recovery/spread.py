"""How durations are spread: a histogram whose buckets grow by 2^(1/8), so that the sums of many stay small.

The buckets are those of Prometheus' native histograms with schema 3: bucket ``i`` holds ``2^((i-1)/8) < x <= 2^(i/8)``
seconds (https://prometheus.io/docs/specs/native_histograms/).  A quantile is a value in the middle of its bucket: it is
off by less than 4.5 %.  Pure.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

PARTS = 8
"""Buckets from a duration to its double."""
LEAST_S = 0.001
"""Shorter ones share one bucket, which stands for 0."""
ZERO = math.floor(math.log2(LEAST_S) * PARTS)


@dataclass(frozen=True, slots=True)
class Spread:
    """Of durations in seconds, none negative."""

    count: int = 0
    total: float = 0.0
    buckets: Mapping[int, int] = field(default_factory=dict)

    @property
    def mean(self) -> float | None:
        """None without durations, as for the quantiles."""
        return self.total / self.count if self.count else None

    def quantile(self, share: float) -> float | None:
        """The nearest-rank quantile, ``share`` in 0..1; of a single duration exactly that one."""
        if self.count == 1:
            return self.total
        rank = max(1, math.ceil(share * self.count))
        for bucket in sorted(self.buckets):
            rank -= self.buckets[bucket]
            if rank <= 0:
                return 0.0 if bucket == ZERO else float(2 ** ((bucket - 0.5) / PARTS))
        return None

    def minus(self, part: "Spread") -> "Spread":
        """What is left without a part of it."""
        left = {bucket: number - part.buckets.get(bucket, 0) for bucket, number in self.buckets.items()}
        left = {bucket: number for bucket, number in left.items() if number > 0}
        return Spread(self.count - part.count, max(0.0, self.total - part.total), left)

    def to_json(self) -> dict[str, Any]:
        """As a database keeps it."""
        buckets = {str(bucket): number for bucket, number in self.buckets.items()}
        return {"count": self.count, "total": self.total, "buckets": buckets} if self.count else {}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Spread":
        """The inverse."""
        if not kept:
            return cls()
        return cls(kept["count"], kept["total"], {int(bucket): number for bucket, number in kept["buckets"].items()})


def joined(spreads: Iterable[Spread]) -> Spread:
    """All of them together."""
    count, total = 0, 0.0
    buckets: Counter[int] = Counter()
    for spread in spreads:
        count += spread.count
        total += spread.total
        buckets.update(spread.buckets)
    return Spread(count, total, buckets)


def spread_of(durations: Iterable[float]) -> Spread:
    """The spread of durations in seconds; a negative one, as of clocks that were set, counts as 0."""
    times = [max(0.0, seconds) for seconds in durations]
    buckets = Counter(ZERO if s < LEAST_S else math.ceil(math.log2(s) * PARTS) for s in times)
    return Spread(len(times), math.fsum(times), buckets)
