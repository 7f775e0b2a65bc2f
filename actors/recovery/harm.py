"""Did a deed break other sessions?  Pure.

A restarted actor or a replaced connector process must not cost its siblings more than the login that was reckoned with.
If several of them fail shortly after a deed, it is blamed, be it right or wrong: nothing more is done to that session
for an hour, and operators are told.
"""

from dataclasses import dataclass, replace

AFTER_S = 60.0
"""Seconds after a deed in which failures are put down to it."""
LEAST = 2
SHARE = 0.2
"""How many, and which share of the siblings that were open, have to fail."""
HELD_S = 3600.0
"""Seconds for which nothing is done to a session after a deed that did harm."""


@dataclass(frozen=True, slots=True)
class Watch:
    """On the siblings of a session to which something was done."""

    session: str
    at: float
    """Seconds since 1970."""
    siblings: frozenset[str]
    """Open on the same connector process at that time."""
    broken: frozenset[str] = frozenset()

    @property
    def harmful(self) -> bool:
        """Whether enough of them failed."""
        return len(self.broken) >= max(LEAST, SHARE * len(self.siblings))


def failed(watch: Watch, session: str, at: float) -> Watch:
    """The same after a failure of some session at that time."""
    if session not in watch.siblings or not watch.at <= at <= watch.at + AFTER_S:
        return watch
    return replace(watch, broken=watch.broken | {session})


def over(watch: Watch, now: float) -> bool:
    """Whether it has nothing to see any more, with time for what is read late."""
    return now > watch.at + 2 * AFTER_S
