"""The fleet's slots: moments at which one connection may begin, so that no second has more of them than the bound.

The law.  With a bound of B connects per second, in any second there begin at most N = ⌈B⌉ connections in the fleet.
Proof.  Slots are given out one after the other, each later than the one before, each to one host for one connection.
What is admitted in the slot s begins in [s, s + SLACK]: at most ``USABLE`` late (later ones are refused where the
connection is made, and it is given back), the rest is how long the way to the server may take.  ``Schedule.begun``
holds all slots that began within the last 1 + SLACK seconds or are still to begin, but for those that were given back
unused, and a new one begins no sooner than 1 + SLACK after the last but N - 1 of them (one that is forgotten lies
further back than that anyway).  So of any N + 1 slots that are used, the last begins at least 1 + SLACK after the
first, and its connection at least a second after that of the first: no second has both.  While the bound changes, N is
that of whoever took the last of them.

The pace.  A slot is due ``gap(B) = (1 + SLACK) / B`` after the last one was.  One that is not taken in time is made up
for: the next slots come twice as fast, as far as the law lets them, until no slot is overdue.  Made up for is a second
at most, and only of the time in which somebody waited: whoever begins to wait where nobody did calls ``rested``
(``board.py``).  After an hour of silence one connection begins at once, and the next one a gap later.

A bound whose slots all lie at least a gap apart, like that of a proxy (``ways.py``), is kept as well: of N + 1 of them
the last begins at least N * gap(B) >= 1 + SLACK after the first.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass

SLACK = 0.12
"""Seconds, and share of the rate that is given up for them: what a connection may be later than its slot."""
USABLE = 0.03
"""Seconds after its beginning in which a slot may be used; the rest of the slack is for the way to the server."""
AHEAD = 0.25
"""Seconds before its beginning at which a slot can be taken: so long may somebody more urgent have to wait for it."""
CREDIT = 1.0
"""Seconds of slots that passed unused, at most, that are made up for."""
CATCHING_UP = 2
"""How many times as fast as they are due slots come while one is overdue."""
MOST = 1024
"""Slots that are remembered: the highest bound is 1000, and a higher one would be kept as if it were this."""


def gap(rate: float) -> float:
    """Seconds between two slots at ``rate`` (above 0) connects per second."""
    return (1 + SLACK) / rate


@dataclass(frozen=True, slots=True)
class Schedule:
    """What was given out, as far as it matters for what comes; ``now`` never goes back, but for a reboot."""

    next_at: float = 0.0
    """When the next slot is due.  If that is over it is overdue, and so may be others after it."""
    begun: tuple[float, ...] = ()
    """When slots begin that were given out and not given back; ascending, at most ``MOST``, old ones are forgotten."""

    def earliest(self, now: float, rate: float) -> float:
        """When the next slot begins; it can be taken once that is no further away than ``AHEAD``."""
        begins = max(now, self._due(now, rate))
        counting = self._counting(now)
        if counting:
            begins = max(begins, counting[-1] + gap(rate) / CATCHING_UP)
        most = min(math.ceil(rate), MOST)
        return max(begins, counting[-most] + 1 + SLACK) if len(counting) >= most else begins

    def taken(self, begins: float, now: float, rate: float) -> "Schedule":
        """After a slot was taken that begins then: no sooner than the earliest."""
        return Schedule(self._due(now, rate) + gap(rate), (*self._counting(now), begins)[-MOST:])

    def given_back(self, begins: float, rate: float) -> "Schedule":
        """The slot that begins then is not used: another one takes its place.  If it is forgotten nothing changes."""
        if begins not in self.begun:
            return self
        index = self.begun.index(begins)
        return Schedule(self.next_at - gap(rate), self.begun[:index] + self.begun[index + 1 :])

    def rested(self, now: float) -> "Schedule":
        """Nobody waited until now: what passed meanwhile is not made up for."""
        return self if self.next_at >= now else Schedule(now, self.begun)

    def _due(self, now: float, rate: float) -> float:
        """When the next slot is due, also if that was written before a reboot, or at a slower rate."""
        return min(max(self.next_at, now - CREDIT), now + AHEAD + gap(rate))

    def _counting(self, now: float) -> tuple[float, ...]:
        """Those that still count: none lies further ahead than one can be taken, but for a reboot and for rounding."""
        after = bisect_right(self.begun, now - 1 - SLACK)
        return self.begun[after : bisect_right(self.begun, now + 2 * AHEAD)]
