"""Is it alive or hung?  The one decision of everybody who watches a process by its beats: pure.

Silence is counted only as far as the watcher itself was awake: each of its looks adds what has passed since the last
one, but never more than ``Beats.longest``.  A machine that stood still, a watcher that was stopped or starved, adds at
most that much, so a pause of any length blames nobody, and there is no border at which a long pause counts after all.
"""

from dataclasses import dataclass, replace

LOOKS_A_TIMEOUT = 8
"""Looks within one timeout, at least: what a pause can add is then at most a quarter of the timeout."""
LONGEST_PERIOD = 1.0
"""Seconds between two looks, at most."""


@dataclass(frozen=True, slots=True)
class Beats:
    """How often a process says that it is well, and for how long it may be silent.  ``timeout`` spans two periods."""

    period: float
    """Seconds between two beats."""
    timeout: float
    """Seconds of silence after which the process is hung."""

    @property
    def look(self) -> float:
        """Seconds between two looks of the watcher."""
        return min(self.period, self.timeout / LOOKS_A_TIMEOUT, LONGEST_PERIOD)

    @property
    def longest(self) -> float:
        """The most that one look can add to a silence, in seconds."""
        return 2 * self.look


@dataclass(frozen=True, slots=True)
class Silence:
    """What a watcher knows of one process."""

    looked: float
    """Monotonic time of its last look, or of the last beat if that came later."""
    lasted: float = 0.0
    """Seconds since the last beat that the watcher was awake for."""


def heard(silence: Silence, now: float) -> Silence:
    """A beat came."""
    return Silence(looked=max(silence.looked, now))


def look(silence: Silence, now: float, beats: Beats) -> Silence:
    """The watcher looks at the clock.  Beats that have arrived are to be ``heard`` before."""
    passed = max(0.0, now - silence.looked)
    return replace(silence, looked=now, lasted=silence.lasted + min(passed, beats.longest))


def hung(silence: Silence, timeout: float) -> bool:
    """Whether it has been silent for too long."""
    return silence.lasted > timeout
