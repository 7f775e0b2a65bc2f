"""Back-off with full jitter.

Formula: ``U(0, min(cap, base * 2^n))``, the "full jitter" of Marc Brooker, "Exponential Backoff And Jitter",
AWS Architecture Blog, 2015.  It spreads those who failed together evenly over the range; a fixed delay lets
them come back together.
"""

MAX_DOUBLINGS = 62
"""Beyond it any cap is reached; it keeps the arithmetic small for a session that has failed for a year."""


def bound(doublings: int, *, base_s: float = 1.0, cap_s: float = 32.0) -> float:
    """The longest delay in seconds after ``doublings`` (from 0) failures in a row: 1, 2, 4 … ``cap_s``."""
    return float(min(cap_s, base_s * 2 ** min(max(doublings, 0), MAX_DOUBLINGS)))


def full_jitter(
    doublings: int, *, base_s: float = 1.0, cap_s: float = 32.0, floor_s: float = 0.0
) -> tuple[float, float]:
    """Shortest and longest delay in seconds, between which it is drawn evenly: 0 and ``bound``, on top of ``floor_s``.

    The floor is 0 unless there is a reason to stay away for longer (a server that says "too many"): a delay
    near zero is what the formula wants for a few of those who failed together, and admission bounds their
    number.  It is added, since a lower limit would let all who drew less than it come back together.
    """
    return floor_s, floor_s + bound(doublings, base_s=base_s, cap_s=cap_s)
