"""The ways out beside the machine's own address: proxies, each with a bound on connects per second.

A slot of the fleet is used through one way, and then that way has no other one for a gap of its own.  So the law of the
fleet holds for each way, too, by what ``slots.py`` says of slots that all lie a gap apart.  Pure; times are seconds
of CLOCK_MONOTONIC.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from actors.admission.outage import LONGEST_WAIT
from actors.admission.slots import AHEAD, gap

MOST = 1024
"""Ways that can be held at a time; a further one waits.  Each is held for a gap only, so they are few."""

Held = Mapping[int, float]
"""Way -> when the next slot through it may begin; one that is not here may be used at once."""


@dataclass(frozen=True, slots=True)
class Way:
    """What a connection is to go through."""

    name: str
    rate: float
    """Connects per second, above 0."""
    wait: float = 0.0
    """Seconds until the next one after this, if that is longer than its rate says: it does not work, and is probed."""

    @property
    def key(self) -> int:
        """Its name as a number of 64 bits; ways of which two are the same share their bounds."""
        return int.from_bytes(hashlib.blake2b(self.name.encode(), digest_size=8).digest())

    @property
    def hold(self) -> float:
        """Seconds for which a connection through it holds it."""
        return max(gap(self.rate), min(self.wait, LONGEST_WAIT))


def bounded(held: Held, way: Way, now: float) -> Held:
    """What lies further away than it can is left over, from a slower rate or another boot: it comes nearer."""
    furthest = now + AHEAD + max(gap(way.rate), LONGEST_WAIT)
    return held if held.get(way.key, now) <= furthest else {**held, way.key: furthest}


def free_at(held: Held, way: Way, now: float) -> float:
    """When the next slot through it may begin."""
    return held.get(way.key, now)


def is_free(held: Held, way: Way, now: float) -> bool:
    """Whether a slot through it may be taken now."""
    return free_at(held, way, now) <= now + AHEAD and (len(held) < MOST or way.key in held or _stale(held, now))


def take(held: Held, way: Way, begins: float, now: float) -> Held:
    """A connection through it begins at ``begins``; ways that are free again are forgotten."""
    return {**{key: at for key, at in held.items() if at > now}, way.key: begins + way.hold}


def give_back(held: Held, way: Way, begins: float) -> Held:
    """That connection did not begin, and no other one through it since: the next one may, at that moment.

    Not sooner: the moment may be to come, and lies no further than it must behind the connection before.
    """
    if held.get(way.key) != begins + way.hold:
        return held
    return {**held, way.key: begins}


def works(held: Held, way: Way, now: float) -> Held:
    """Somebody got through it: it is held for its rate only."""
    at = held.get(way.key)
    if at is None or at <= now + gap(way.rate):
        return held
    return {**held, way.key: now + gap(way.rate)}


def _stale(held: Held, now: float) -> bool:
    return any(at <= now for at in held.values())
