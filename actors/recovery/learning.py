"""What the ledger teaches: which strategy has helped against a cause, and how long its back-off may begin.  Pure.

How often a strategy helps is a proportion of few trials, so it is taken as an interval, never as ``helped / trials``:
the score interval of E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22
(1927), 209-212, with z = 1.645 (each bound holds with 95 %).  Without trials it is 0 to 1, so nothing is learnt from
nothing, and the same counts always give the same choice.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from actors.recovery.strategies import Strategy
from actors.session.causes_table import Cause
from actors.session.vocabulary import Disposition

Z = 1.645
LEAST_TRIALS = 8
"""Trials of a rung before it may be passed over."""
POOR = 0.2
"""A rung whose upper bound is below helps too seldom to be tried first, if a higher one helps for sure more often."""
REMEMBERED_S = 90 * 86_400.0
"""How far back the ledger is read."""
LEAST_HEALED = 20
"""Healed episodes of a cause before its back-off begins later."""
MOST_DOUBLINGS = 3
"""By how much: a first delay of up to 8 times the usual one."""


@dataclass(frozen=True, slots=True)
class Trials:
    """How often a strategy was applied, and helped."""

    helped: int = 0
    failed: int = 0
    """Harmful ones among them."""

    @property
    def number(self) -> int:
        """Of trials that came to something."""
        return self.helped + self.failed

    @property
    def bounds(self) -> tuple[float, float]:
        """The Wilson interval of the share that helps."""
        n = self.number
        if n == 0:
            return 0.0, 1.0
        share, square = self.helped / n, Z * Z
        centre = (share + square / (2 * n)) / (1 + square / n)
        half = Z * math.sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
        return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True, slots=True)
class Learnt:
    """What the ledger says of all sessions together."""

    trials: Mapping[tuple[Cause, Strategy], Trials] = field(default_factory=dict)
    attempts: Mapping[Cause, tuple[int, int]] = field(default_factory=dict)
    """Of healed episodes of a cause: how many, and how many connections they took together."""

    def of(self, cause: Cause, strategy: Strategy) -> Trials:
        """The trials of one strategy against one cause."""
        return self.trials.get((cause, strategy), Trials())


NOTHING = Learnt()


def first_of(learnt: Learnt, cause: Cause, rungs: Sequence[Strategy]) -> Strategy:
    """Which of these rungs, lowest first, is taken: the first that is not passed over.

    A rung is passed over only if it was tried often enough, helps too seldom, and the next one helps more often with
    the bounds of both apart.  A rung that costs other sessions a login, and those after the deeds, is never reached by
    passing over: that is a floor of safety.
    """
    for rung, higher in pairwise(rungs):
        tried, better = learnt.of(cause, rung), learnt.of(cause, higher)
        poor = tried.number >= LEAST_TRIALS and tried.bounds[1] < POOR and better.bounds[0] > tried.bounds[1]
        if not poor or higher.order >= Strategy.FAILOVER.order:
            return rung
    return rungs[-1]


def doublings(learnt: Learnt, cause: Cause) -> int:
    """By how many doublings the back-off for a cause begins later than usual: 0 to ``MOST_DOUBLINGS``.

    If episodes of a cause usually take n connections, the first ones are for nothing: it begins where about half of
    them would have come, at ``log2(n) / 2`` doublings.  It never begins earlier, and its highest bound stays.  Causes
    that get few tries keep them all.
    """
    healed, attempts = learnt.attempts.get(cause, (0, 0))
    if healed < LEAST_HEALED or cause.disposition is not Disposition.BACK_OFF:
        return 0
    return max(0, min(MOST_DOUBLINGS, int(math.log2(max(1.0, attempts / healed)) / 2)))
