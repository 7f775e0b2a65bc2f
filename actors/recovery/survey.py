"""What decisions about all sessions have in common, and which episodes count in it.  Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from actors.recovery.budgets import Deed, recent
from actors.recovery.decision import Limits
from actors.recovery.episodes import Episode
from actors.recovery.strategies import Strategy
from actors.session.vocabulary import State

IDLE = frozenset({State.STOPPED, State.PAIRING, State.BLOCKED, State.HALTED})
"""Sessions in these states are not to be connected now."""


@dataclass(frozen=True, slots=True)
class Known:
    """Where a session stands."""

    shard: str
    state: State
    at: float
    """Of its last transition."""
    opened_at: float | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """As of one moment."""

    open: Mapping[str, int]
    """Open sessions by shard."""
    deeds: Mapping[str, tuple[Deed, ...]]
    """Of the last hour, by shard."""
    sessions: Mapping[str, int]
    """Those that are to be connected, by shard."""
    troubled: Mapping[str, int]
    """Those whose trouble may be a shared one, by shard."""
    lasting: Mapping[str, int]
    """Those of them whose trouble began a while ago."""
    probes: Mapping[str, Deed] = field(default_factory=dict)
    """Sessions in trouble to which a restart or failover was given meanwhile, and the last one."""
    under_way: frozenset[str] = frozenset()
    """Sessions to which something is being done."""
    paused: frozenset[str] = frozenset()
    """Shards with a session whose recovery is paused."""


def surveyed(
    known: Mapping[str, Known],
    episodes: Mapping[str, Episode],
    deeds: Mapping[str, tuple[Deed, ...]],
    held: frozenset[str],
    now: float,
    limits: Limits,
) -> Survey:
    """All sessions taken together; ``held``: those whose recovery is paused, whose episodes are left out."""
    done: dict[str, tuple[Deed, ...]] = {}
    for session, its in deeds.items():
        if session in known:
            shard = known[session].shard
            done[shard] = (*done.get(shard, ()), *recent(its, now))
    troubled = [id for id, its in episodes.items() if is_troubled(its.strategy, its.rung_at, now, limits)]
    probes = {id: _probe(its, deeds.get(id, ())) for id, its in episodes.items()}
    return Survey(
        open=Counter(stands.shard for stands in known.values() if stands.state is State.OPEN),
        deeds=done,
        sessions=Counter(stands.shard for stands in known.values() if stands.state not in IDLE),
        troubled=Counter(shard_of(id, known) for id in troubled),
        lasting=Counter(shard_of(id, known) for id in troubled if now - episodes[id].detected_at >= limits.lasting_s),
        probes={id: deed for id, deed in probes.items() if deed is not None},
        under_way=frozenset(id for id, its in episodes.items() if is_under_way(its, deeds.get(id, ()), now, limits)),
        paused=frozenset(known[session].shard for session in held if session in known),
    )


def _probe(episode: Episode, deeds: Iterable[Deed]) -> Deed | None:
    """What was last done in this trouble that shows what it is worth for others, given the deeds of that session."""
    found = (deed for deed in deeds if deed.strategy.is_deed and deed.at >= episode.detected_at)
    return max(found, key=lambda deed: deed.at, default=None)


def shard_of(session: str, known: Mapping[str, Known]) -> str:
    """Where it lives; empty if nothing is known of it."""
    return known[session].shard if session in known else ""


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
