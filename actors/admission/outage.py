"""A trouble that many share: nothing can be reached, everybody is refused.  Then one tries for all.

A circuit breaker (M. Nygard, "Release It!", 2007): many sessions fail one after the other and none gets through, so it
is not they who are ill.  From then on one connection at a time is tried, a probe, at growing intervals; the first that
gets through ends it.  The same for the whole fleet, and for one connector process.  Pure; ``now`` is in seconds on a
clock that only goes forward, ``wall`` in seconds since 1970.
"""

from dataclasses import dataclass, replace

LEAST, MOST, SHARE = 3, 8, 0.25
"""How many sessions have to fail: this share of them, but at least and at most so many."""
FIRST_WAIT = 1.0
"""Seconds from the beginning of an outage to its first probe; each further wait is twice as long."""
LONGEST_WAIT = 10.0
"""Seconds between two probes.  An hour makes 360 of them: 0.1 connects a second."""
OUTDATED = "client_outdated"
OUTDATED_WAIT = 600.0
"""The same where waiting does not help: a client that is too old stays so until somebody acts, who also ends it."""
FLAPPING = 60.0
"""Seconds after its end in which an outage that begins is the old one again: its waits go on where they were."""


def enough(members: int) -> int:
    """How many different sessions of so many have to fail, with none getting through meanwhile, to be an outage."""
    return min(MOST, max(LEAST, round(SHARE * members)))


@dataclass(frozen=True, slots=True)
class Outage:
    """The present one, or that there is none."""

    since: float | None = None
    """Seconds since 1970; None: there is none."""
    cause: str = ""
    """Of the last failure."""
    probes: int = 0
    """Probes so far, those of an outage just before it included: the waits grow with it."""
    probe_at: float = 0.0
    """When the next probe may begin."""
    ended_at: float = float("-inf")
    """When the last one ended."""

    @property
    def on(self) -> bool:
        """Whether there is one."""
        return self.since is not None

    def holds(self, *, detoured: bool) -> bool:
        """Whether it concerns who goes straight from this machine, or ``detoured`` by a proxy.

        What all ways share is a client that is too old.
        """
        return self.on and (not detoured or self.cause == OUTDATED)

    def wait(self) -> float:
        """Seconds to the next probe."""
        if self.cause == OUTDATED:
            return OUTDATED_WAIT
        return float(min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(self.probes, 16)))

    def failed(self, cause: str, failing: int, members: int, now: float, wall: float) -> "Outage":
        """After a failure; ``failing``: different sessions that have failed since somebody last got through."""
        if self.on:
            later = replace(self, cause=cause)
            # a probe brought another cause to light, for which the wait is another one
            return later if later.wait() == self.wait() else replace(later, probe_at=now + later.wait())
        if failing < enough(members):
            return self
        flaps = 0 <= now - self.ended_at < FLAPPING
        begun = replace(self, since=wall, cause=cause, probes=self.probes if flaps else 0)
        return replace(begun, probe_at=now + begun.wait())

    def probed(self, now: float) -> "Outage":
        """A probe begins."""
        begun = replace(self, probes=self.probes + 1)
        return replace(begun, probe_at=now + self.wait())

    def unprobed(self, probes: int, now: float) -> "Outage":
        """The probe that was the one of that number came to nothing, since nobody used it: the next is soon.

        Nothing changes if another one was made meanwhile.
        """
        if not self.on or self.probes != probes:
            return self
        return replace(self, probes=probes - 1, probe_at=min(self.probe_at, now + FIRST_WAIT))

    def hurried(self, now: float) -> "Outage":
        """Somebody wants to know it now: the next probe may begin."""
        return replace(self, probe_at=min(self.probe_at, now)) if self.on else self

    def passed(self, now: float) -> "Outage":
        """Somebody got through."""
        return replace(self, since=None, ended_at=now) if self.on else self

    def due(self, now: float) -> float:
        """When the next probe may begin, also by a clock that was set back by a reboot."""
        return min(self.probe_at, now + max(OUTDATED_WAIT, LONGEST_WAIT))
