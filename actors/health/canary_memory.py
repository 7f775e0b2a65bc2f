"""What of the canaries outlives the health actor: those under way, and what they taught of each session.  Pure.

Times are seconds since 1970.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.health.canary import AHEAD_S, Need, Past, Policy, over_at
from actors.store.records import Canary


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one session."""

    past: Past = field(default_factory=Past)
    """What it got."""
    reached: float = 0.0
    """When something that it sent last arrived, at whomever; 0: never."""

    def dump(self) -> dict[str, Any]:
        """As plain data, for `load`."""
        past = self.past
        return {
            "lastAt": past.last_at,
            "lastSender": past.last_sender,
            "need": past.need.name,
            "missed": past.missed,
            "silentSince": past.silent_since,
            "senders": sorted(past.senders),
            "vouched": past.vouched,
            "calm": past.calm,
            "calmAt": past.calm_at,
            "void": past.void,
            "reached": self.reached,
        }

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> "Memory":
        """The inverse.

        Raises:
            ValueError: for something else.
        """
        try:
            past = Past(
                last_at=_time(data["lastAt"]),
                last_sender=str(data["lastSender"]),
                need=Need[data["need"]],
                missed=_count(data["missed"]),
                silent_since=_time(data["silentSince"]),
                senders=frozenset(str(sender) for sender in data["senders"]),
                vouched=data["vouched"] is True,
                calm=_count(data["calm"]),
                calm_at=_time(data["calmAt"]),
                void=_count(data["void"]),
            )
            return cls(past, _time(data["reached"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"a stored memory of canaries that is none: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Changed:
    """What is to be stored, all or nothing: a canary that ended is one that was counted."""

    canaries: Mapping[str, Canary]
    """By id."""
    memories: Mapping[str, Memory | None]
    """By session; None: it is no more."""

    def __bool__(self) -> bool:
        return bool(self.canaries or self.memories)


def goes_on(canary: Canary, policy: Policy, now: float) -> bool:
    """Whether a stored canary without an outcome is still under way, and its arrival could not have been missed.

    Where the receiver's outbox was not known when it was begun, nobody can tell whether it arrived meanwhile.
    """
    known = canary.shard is not None and canary.read_upto is not None
    return policy.enabled and known and canary.at <= now + AHEAD_S and now <= over_at(canary, policy)


def unread(under_way: Iterable[Canary]) -> dict[int, int]:
    """Shard -> the number in its outbox after which the arrivals of these may be."""
    found: dict[int, int] = {}
    for canary in under_way:
        if canary.shard is not None and canary.read_upto is not None:
            found[canary.shard] = min(canary.read_upto, found.get(canary.shard, canary.read_upto))
    return found


def _time(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"a stored time that is none: {value!r}")
    return float(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"a stored number that is none: {value!r}")
    return value
