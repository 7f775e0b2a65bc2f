"""A token bucket as a value.  Pure."""

from dataclasses import dataclass, replace

_ROUNDING = 1e-9
"""Share of a token that may be missing: what floating point loses, not what the bound gives away."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket as of ``at`` (seconds on any clock that only goes forward)."""

    rate: float
    """Tokens per second; 0 admits nobody once the bucket is empty."""
    burst: int
    tokens: float
    at: float

    def refilled(self, now: float) -> "Bucket":
        """The bucket at ``now``."""
        gained = max(0.0, now - self.at) * self.rate
        return replace(self, tokens=min(float(self.burst), self.tokens + gained), at=max(self.at, now))

    def taken(self) -> "Bucket | None":
        """The bucket with one token less; None if it has none."""
        if self.tokens < 1 - _ROUNDING:
            return None
        return replace(self, tokens=max(0.0, self.tokens - 1))

    def wait(self) -> float | None:
        """Seconds until there is a token; None: never at this rate."""
        missing = max(0.0, 1 - self.tokens)
        return None if self.rate <= 0 else missing / self.rate

    def bounded(self, rate: float, burst: int) -> "Bucket":
        """The bucket under new bounds: what is in it stays, as far as it fits."""
        return replace(self, rate=rate, burst=burst, tokens=min(self.tokens, float(burst)))
