"""The fleet's slots: moments at which one connection may begin, so that no second has more of them than the bound.

The law.  With a bound of B connects per second, at most N = ⌈B⌉ connections reach the server in any second.  Proof.
Slots are given out one after the other, each to one host for one connection.  ``Schedule.reach`` holds for each of the
last ones the latest moment at which its connection reached the server: when the server's first answer came, once that
is told, until then its slot and ``SLACK``, since a connection begins at most ``USABLE`` late (later ones are refused
where it is made, and the slot is given back) and the rest is for its way.  A new slot begins no sooner than
``SECOND`` after the N-th last of these moments (those that are forgotten lie further back than that anyway).  Of N + 1
connections take the one whose slot was given out last: it reaches the server no sooner than its slot begins, and at
least one of the others had reached it a ``SECOND`` before.  So no second has all of them.  While the bound changes, N
is that of whoever took the last of them.

What is assumed: a way that takes longer than its share of ``SLACK`` is told within three quarters of a second, before
the slot of the N-th after it is taken.  An attempt that ends without an answer is told as late as its end.

The pace.  A slot is due ``pace(B)`` = SECOND / B after the last one was.  One that is not taken in time is made up for:
the next slots come twice as fast, as far as the law lets them, until no slot is overdue.  Made up for is a second at
most, and only of the time in which somebody waited: whoever begins to wait where nobody did calls ``rested``
(``board.py``).  After an hour of silence one connection begins at once, and the next one after its pace.

A bound whose slots all lie at least a ``gap`` apart, like that of a proxy (``ways.py``), is kept without being told
anything, as long as ways differ by no more than ``SLACK``: of N + 1 of them the last begins at least N * gap(B) >=
SECOND + SLACK after the first.
"""

import math
from bisect import bisect_right, insort
from dataclasses import dataclass, replace

SECOND = 1.02
"""Seconds that count as one: clocks of two processes, and of the server, may differ by a little."""
SLACK = 0.12
"""Seconds, what a connection may be later than its slot while nothing else is known of it."""
USABLE = 0.05
"""Seconds after its beginning in which a slot may be used; the rest of the slack is for the way to the server."""
LONGEST_WAY = 1.0
"""Seconds from a slot until its connection reached the server, at most: a slower way is taken for one of these."""
AHEAD = 0.25
"""Seconds before its beginning at which a slot can be taken: so long may somebody more urgent have to wait for it."""
CREDIT = 1.0
"""Seconds of slots that passed unused, at most, that are made up for."""
CATCHING_UP = 2
"""How many times as fast as they are due slots come while one is overdue."""
MOST = 1024
"""Slots that are remembered: the highest bound is 1000, and a higher one would be kept as if it were this."""


def pace(rate: float) -> float:
    """Seconds between two slots at ``rate`` (above 0) connects per second, when all goes well."""
    return SECOND / rate


def gap(rate: float) -> float:
    """Seconds between two slots that keep a bound though nothing is told of the ways."""
    return (SECOND + SLACK) / rate


@dataclass(frozen=True, slots=True)
class Schedule:
    """What was given out, as far as it matters for what comes; ``now`` never goes back, but for a reboot."""

    next_at: float = 0.0
    """When the next slot is due.  If that is over it is overdue, and so may be others after it."""
    reach: tuple[float, ...] = ()
    """When the connections of slots that were not given back reached the server, at the latest; ascending, at most
    ``MOST``, old ones are forgotten."""
    last_at: float = float("-inf")
    """When the last slot begins that was given out."""

    def earliest(self, now: float, rate: float) -> float:
        """When the next slot begins; it can be taken once that is no further away than ``AHEAD``."""
        begins = max(now, self._due(now, rate))
        if self.last_at <= now + 2 * AHEAD:  # else it is of another boot
            begins = max(begins, self.last_at + pace(rate) / CATCHING_UP)
        counting = self._counting(now)
        most = min(math.ceil(rate), MOST)
        return max(begins, counting[-most] + SECOND) if len(counting) >= most else begins

    def taken(self, begins: float, now: float, rate: float) -> "Schedule":
        """After a slot was taken that begins then: no sooner than the earliest."""
        reach = list(self._counting(now))
        insort(reach, begins + SLACK)
        return Schedule(self._due(now, rate) + pace(rate), tuple(reach[-MOST:]), begins)

    def given_back(self, begins: float, rate: float) -> "Schedule":
        """The slot that begins then is not used: another one takes its place.  If it is forgotten nothing changes."""
        if (reach := self._without(begins)) is None:
            return self
        last_at = self.last_at - pace(rate) / CATCHING_UP if begins == self.last_at else self.last_at
        return Schedule(self.next_at - pace(rate), tuple(reach), last_at)

    def reached(self, begins: float, at: float) -> "Schedule":
        """The connection of the slot that begins then had reached the server by ``at``."""
        if (reach := self._without(begins)) is None:
            return self
        insort(reach, min(max(begins, at), begins + LONGEST_WAY))
        return replace(self, reach=tuple(reach))

    def rested(self, now: float) -> "Schedule":
        """Nobody waited until now: what passed meanwhile is not made up for."""
        return self if self.next_at >= now else replace(self, next_at=now)

    def _without(self, begins: float) -> list[float] | None:
        """The others, if that one is remembered and nothing was told of it."""
        reach = list(self.reach)
        try:
            reach.remove(begins + SLACK)
        except ValueError:
            return None
        return reach

    def _due(self, now: float, rate: float) -> float:
        """When the next slot is due, also if that was written before a reboot, or at a slower rate."""
        return min(max(self.next_at, now - CREDIT), now + AHEAD + pace(rate))

    def _counting(self, now: float) -> tuple[float, ...]:
        """Those that still count: none lies further ahead than one can be taken, but for a reboot and for rounding."""
        after = bisect_right(self.reach, now - SECOND)
        return self.reach[after : bisect_right(self.reach, now + 2 * AHEAD + LONGEST_WAY)]
