"""What recovery does about a session now, and why: one pure function of its episode and what is around it.

A session that lost its connection comes back by itself (``plans``): recovery watches, and climbs when that does not
help.  One that believes to be open and is not well would do nothing by itself: recovery orders it to.
"""

import math
from collections.abc import Mapping
from typing import Any

from actors.recovery.decision import Around, Decision, Limits, Rule
from actors.recovery.episodes import FORCED, Episode
from actors.recovery.learning import first_of
from actors.recovery.permits import permitted, rungs
from actors.recovery.strategies import Strategy, ladder

__all__ = ["Around", "Decision", "Limits", "Rule", "decide", "has_failed"]


def decide(episode: Episode | None, around: Around, now: float) -> Decision:
    """The decision as of ``now``."""
    if episode is None:
        return Decision(Rule.WELL, "There is no trouble.", Strategy.NONE)
    if episode.strategy.order > Strategy.SLOW_LANE.order:
        return _stands(episode)
    if around.paused_until is not None and around.paused_until > now:
        until = around.paused_until if math.isfinite(around.paused_until) else None
        return Decision(Rule.PAUSED, "Recovery is paused for this session.", episode.strategy, until=until)
    if episode.pending_at is not None and abs(now - episode.pending_at) < around.limits.unanswered_s:
        due = episode.pending_at + around.limits.unanswered_s
        return Decision(Rule.UNDER_WAY, "What was ordered has yet to show.", episode.strategy, until=due)
    if episode.doubt == FORCED or episode.forced_from is not None:
        return Decision(Rule.FORCED, "Nothing was seen of what an operator had ordered.", episode.strategy, until=now)
    # of a closed session its tries are seen, and no more
    if episode.pending_at is not None and episode.open and episode.strategy is not Strategy.SLOW_LANE:
        return _climb(episode, around, now, "Nothing was seen of what had been ordered.")
    return _open(episode, around, now) if episode.open else _closed(episode, around, now)


def _stands(episode: Episode) -> Decision:
    cause = episode.last_cause
    return Decision(Rule.STANDS, f"{cause.sentence} {cause.remedy}", episode.strategy, facts={"cause": str(cause)})


def has_failed(episode: Episode, limits: Limits, now: float) -> bool:
    """Whether what was done on this rung is known not to have helped: recovery would climb.

    As long as it is not, somebody who orders something else takes its chance from it, and that says nothing about it.
    """
    if episode.pending_at is not None:
        return episode.open and abs(now - episode.pending_at) >= limits.unanswered_s
    done = episode.attempts - episode.rung_attempts
    if episode.open:
        return episode.doubt is not None and not _in_grace(episode, limits, now) and (episode.rung_deeds + done) > 0
    tries = limits.tries.get(episode.strategy)
    return tries is not None and done >= tries and now >= episode.rung_at + limits.patience_s


def _in_grace(episode: Episode, limits: Limits, now: float) -> bool:
    return episode.doubt == "half_open" and abs(now - (episode.doubt_at or now)) < limits.grace_s


def _closed(episode: Episode, around: Around, now: float) -> Decision:
    """It tries by itself; the question is only whether something else is called for."""
    limits, strategy = around.limits, episode.strategy
    tries = limits.tries.get(strategy)
    done = episode.attempts - episode.rung_attempts
    due = episode.rung_at + limits.patience_s
    facts = {"attempts": episode.attempts, "attemptsOnRung": done, "triesOfRung": tries}
    if tries is None or done < tries or now < due or Strategy.RECONNECT not in ladder(episode.last_cause):
        because = "The session connects again by itself, after growing delays."
        until = due if tries is not None and done >= tries and now < due else None
        return Decision(Rule.RECONNECTS, because, strategy, until=until, facts=facts)
    return _climb(episode, around, now, f"{done} connections in a row did not help.", facts)


def _open(episode: Episode, around: Around, now: float) -> Decision:
    limits = around.limits
    if episode.doubt is None or episode.doubt_at is None:
        return Decision(Rule.UNPROVEN, "It is open again, and has yet to prove that it works.", episode.strategy)
    if _in_grace(episode, limits, now):
        because = "Its connector ends a connection whose heartbeats are not answered."
        return Decision(Rule.GRACE, because, episode.strategy, until=episode.doubt_at + limits.grace_s)
    because = _DOUBTS.get(episode.doubt, "It is open, but there is no proof that it works.")
    if episode.strategy is Strategy.SLOW_LANE:
        last = max((deed.at for deed in around.deeds), default=episode.rung_at)
        last = max(last, episode.rung_at)
        if now < last + limits.slow_s:
            told = "Everything was tried, and did not help; the next try is far away."
            return Decision(Rule.SLOW, told, Strategy.SLOW_LANE, until=last + limits.slow_s)
        return permitted(Decision(Rule.SLOW, because, Strategy.SLOW_LANE, act=True), episode, around, now)
    if episode.rung_deeds or episode.attempts > episode.rung_attempts:
        return _climb(episode, around, now, because)
    first = first_of(around.learnt, episode.last_cause, rungs(episode, around) or [Strategy.SLOW_LANE])
    return permitted(Decision(Rule.FIRST, because, first, act=True), episode, around, now)


_DOUBTS: Mapping[str, str] = {
    "deaf": "It is open, but nothing arrives.",
    "outbound_stuck": "It is open, but what it sends is not acknowledged.",
    "half_open": "It is open, but its heartbeats are not answered.",
}


def _climb(
    episode: Episode, around: Around, now: float, because: str, facts: Mapping[str, Any] | None = None
) -> Decision:
    """The next rung; at the end of the ladder the slow lane, where nothing is ordered at once."""
    higher = [rung for rung in rungs(episode, around) if rung.order > episode.strategy.order]
    if not higher and not episode.open:
        return Decision(Rule.RECONNECTS, because, episode.strategy, facts=facts or {})
    rung = first_of(around.learnt, episode.last_cause, higher or [Strategy.SLOW_LANE])
    return permitted(Decision(Rule.CLIMB, because, rung, act=True, facts=facts or {}), episode, around, now)
