"""The fleet's slots: moments at which one connection may begin, so far apart that no second has more than the bound.

The law.  With a bound of B connects per second, in any second there begin at most ⌈B⌉ connections in the whole fleet.
Proof.  Slots are given out one after the other, each at least ``gap(B) = (1 + SLACK) / B`` after the one before, and
each to one host for one connection.  What is admitted in the slot s begins in [s, s + SLACK]: at most ``USABLE`` late
(later ones are refused where the connection is made, and the slot is lost), the rest is how long the way to the server
may take.  If n + 1 connections begin within less than a second, the slots of the first and the last of them lie less
than 1 + SLACK apart, and at least n gaps.  So n * (1 + SLACK) / B < 1 + SLACK, which is n < B, and n + 1 <= ⌈B⌉.

Nothing is saved up: after an hour of silence one connection begins at once, and the next one a gap later.
"""

SLACK = 0.12
"""Seconds, and share of the rate that is given up for them: what a connection may be later than its slot."""
USABLE = 0.05
"""Seconds after its beginning in which a slot may be used; the rest of the slack is for the way to the server."""
AHEAD = 0.25
"""Seconds before its beginning at which a slot can be taken: so long may somebody more urgent have to wait for it."""


def gap(rate: float) -> float:
    """Seconds between two slots at ``rate`` (above 0) connects per second."""
    return (1 + SLACK) / rate


def next_slot(next_at: float, now: float, rate: float) -> tuple[float, float] | None:
    """The slot that can be taken now, and when the one after it begins; None if the next one is still too far away.

    ``next_at`` is when the next slot begins, ``now`` on the same clock.  What lies further away than a gap behind the
    last slot that anybody can have taken by now is left over from a slower rate, or from before a reboot.
    """
    begins = max(now, min(next_at, now + AHEAD + gap(rate)))
    return None if begins - now > AHEAD else (begins, begins + gap(rate))
