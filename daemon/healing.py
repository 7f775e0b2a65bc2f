"""Whether main may execute itself afresh once more: pure."""

from dataclasses import dataclass

PERIOD = 60.0
"""Seconds that a fresh start counts."""
PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each fresh start within the period; after as many, the service manager is to decide."""


@dataclass(frozen=True, slots=True)
class Again:
    """Execute afresh."""

    pause: float
    """Seconds to wait before."""
    starts: tuple[float, ...]
    """Monotonic times of the fresh starts within the period, this one included: to be handed on."""


def again(starts: tuple[float, ...], now: float) -> Again | None:
    """What to do when the keeper is lost at ``now``, after fresh starts at ``starts``; None: too many, give up."""
    recent = tuple(at for at in starts if 0 <= now - at <= PERIOD)
    if len(recent) >= len(PAUSES):
        return None
    return Again(PAUSES[len(recent)], (*recent, now))


def read_starts(text: str) -> tuple[float, ...]:
    """What a predecessor handed on; nothing, if that can't be read."""
    try:
        return tuple(float(word) for word in text.split())
    except ValueError:
        return ()


def write_starts(starts: tuple[float, ...]) -> str:
    """As ``read_starts`` reads it."""
    return " ".join(repr(at) for at in starts)
