"""What decisions about all sessions have in common, and which episodes count in it.  Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from actors.recovery.budgets import Deed
from actors.recovery.decide import Limits
from actors.recovery.episodes import Episode
from actors.recovery.strategies import Strategy


@dataclass(frozen=True, slots=True)
class Survey:
    """As of one moment."""

    open: Mapping[str, int]
    """Open sessions by shard."""
    deeds: Mapping[str, tuple[Deed, ...]]
    """Of the last hour, by shard."""
    sessions: int
    troubled: int
    under_way: frozenset[str] = frozenset()
    """Sessions to which something is being done."""
    paused: frozenset[str] = frozenset()
    """Shards with a session whose recovery is paused."""


def is_troubled(strategy: Strategy, rung_at: float, now: float, limits: Limits) -> bool:
    """Whether an episode on that rung since ``rung_at`` may be a sign of what others suffer from, too.

    One that is in the slow lane for long says nothing of what happens now: a few that stay broken would have
    everybody's trouble taken for a shared one.
    """
    if strategy is Strategy.SLOW_LANE:
        return now - rung_at < limits.shared_s
    return strategy.order < Strategy.SLOW_LANE.order


def is_under_way(episode: Episode, deeds: Iterable[Deed], now: float, limits: Limits) -> bool:
    """Whether something that was ordered may still show, given the deeds of that session.

    Only for a time: what does not come back must not keep others from being helped.
    """
    if episode.pending_at is not None:
        return abs(now - episode.pending_at) < limits.unanswered_s
    last = max((deed.at for deed in deeds), default=None)
    if episode.rung_deeds == 0 or episode.open or last is None:
        return False
    return abs(now - last) < limits.unanswered_s + limits.patience_s
