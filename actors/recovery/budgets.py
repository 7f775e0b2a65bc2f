"""What recovery may do to sessions that would do nothing by themselves: budgets of deeds, and what a deed costs.  Pure.

Connections that a session tries after it lost one have no budget: their back-off and the admission bound them, and a
session must never run out of tries.  Budgets are for deeds, which may hurt a session that is well.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from actors.recovery.strategies import Strategy

HOUR_S = 3600.0
"""The sliding window of all budgets."""


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that was ordered."""

    at: float
    """Seconds since 1970."""
    strategy: Strategy
    logins: int = 1
    """Connections that it makes anew: what it costs."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """Within any hour."""

    deeds: Mapping[Strategy, int] = field(
        default_factory=lambda: {Strategy.RECONNECT: 6, Strategy.RESTART: 3, Strategy.FAILOVER: 1}
    )
    """Of one session; the slow lane's reconnections count as such."""
    logins: int = 64
    """That deeds may cost the sessions of one connector process together."""


@dataclass(frozen=True, slots=True)
class Room:
    """What is left of a budget."""

    used: int
    allowed: int
    free_at: float | None = None
    """When there is room again; None: there is now."""


def kind(strategy: Strategy) -> Strategy:
    """What a deed is called in the budgets."""
    return Strategy.RECONNECT if strategy is Strategy.SLOW_LANE else strategy


def recent(deeds: Iterable[Deed], now: float) -> tuple[Deed, ...]:
    """Those of the last hour."""
    return tuple(deed for deed in deeds if now - deed.at < HOUR_S)


def room(budgets: Budgets, deeds: Iterable[Deed], strategy: Strategy, now: float) -> Room:
    """What is left for one more deed of a session, given its deeds."""
    times = sorted(deed.at for deed in recent(deeds, now) if kind(deed.strategy) is kind(strategy))
    return _room(times, budgets.deeds.get(kind(strategy), 0), 1, now)


def room_for_logins(budgets: Budgets, deeds: Iterable[Deed], cost: int, now: float) -> Room:
    """What is left for a deed of that cost on a connector process, given all deeds there.

    One that costs more than the budget, in a shard with many sessions, may be done when nothing else was.
    """
    spent = sorted(deed.at for deed in recent(deeds, now) for _ in range(deed.logins))
    return _room(spent, max(budgets.logins, cost), cost, now)


def _room(times: list[float], allowed: int, cost: int, now: float) -> Room:
    over = len(times) + cost - allowed
    if over <= 0:
        return Room(len(times), allowed)
    return Room(len(times), allowed, times[over - 1] + HOUR_S if over <= len(times) else now + HOUR_S)
