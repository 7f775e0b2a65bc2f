"""What recovery does about a session now, and why: one pure function of its episode and what is around it.

A session that lost its connection comes back by itself (``plans``): recovery watches, and climbs when that does not
help.  One that believes to be open and is not well would do nothing by itself: recovery orders it to.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from actors.recovery.budgets import Budgets, Deed, Room, room, room_for_logins
from actors.recovery.episodes import FORCED, Episode
from actors.recovery.learning import NOTHING, Learnt, first_of
from actors.recovery.strategies import Strategy, ladder


class Rule(StrEnum):
    """What a decision rests on."""

    WELL = "well"
    PAUSED = "paused"
    STANDS = "stands"
    """Nothing may be tried: it waits for a time or an operator."""
    RECONNECTS = "reconnects"
    """The session tries by itself; its tries are not used up."""
    UNDER_WAY = "under_way"
    UNPROVEN = "unproven"
    """It is open, and has yet to prove itself."""
    GRACE = "grace"
    """Its connector ends such a connection by itself, and has time for it."""
    HELD = "held"
    """What was done did harm."""
    SHARED = "shared"
    """Many have the same trouble: what would be done to one helps none of them."""
    REFUSED = "refused"
    """Whoever should have done it could not, a short time ago."""
    CROWD = "crowd"
    """Enough is being done at the same time."""
    BUDGET = "budget"
    FIRST = "first"
    """Nothing was done on this rung."""
    CLIMB = "climb"
    """What was done on the rung below did not help."""
    FORCED = "forced"
    """An operator ordered it."""
    SLOW = "slow"
    """Everything was tried: once more after a long time."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the decisions; seconds."""

    tries: Mapping[Strategy, int] = field(
        default_factory=lambda: {Strategy.RECONNECT: 6, Strategy.RESTART: 3, Strategy.FAILOVER: 3}
    )
    """Connections that a closed session tries on a rung before it climbs."""
    patience_s: float = 60.0
    """Least time on a rung of a closed session, however fast its tries fail."""
    unanswered_s: float = 45.0
    """Longest time from an order until something is seen of it; the shutting of a connection takes up to 15."""
    grace_s: float = 30.0
    """For a connector to end a half-open connection by itself."""
    slow_s: float = 1800.0
    """Between two tries in the slow lane of a session that believes to be open."""
    refused_s: float = 30.0
    """From a refusal until it is ordered again."""
    shared_least: int = 3
    """Fewer sessions in trouble are no shared trouble."""
    shared_share: float = 0.3
    """Share of all sessions in trouble from which on it is shared."""
    shared_s: float = 3600.0
    """Time in the slow lane after which a session's trouble is its own."""
    crowd: int = 4
    """Deeds that are under way at a time; one when the trouble is shared: that one probes."""
    failover_pause_s: float = 600.0
    """Between two replacements of one connector process."""


@dataclass(frozen=True, slots=True)
class Around:
    """What a decision needs beside the episode."""

    budgets: Budgets = field(default_factory=Budgets)
    limits: Limits = field(default_factory=Limits)
    learnt: Learnt = NOTHING
    deeds: tuple[Deed, ...] = ()
    """Of the session within the last hour."""
    process_deeds: tuple[Deed, ...] = ()
    """Of all sessions of its connector process within the last hour."""
    siblings: int = 0
    """Other sessions that are open on that process: a failover costs each of them a login."""
    sessions: int = 1
    """Of the fleet that are to be connected."""
    troubled: int = 0
    """Those with an open episode of a cause about which something may be tried; neither paused nor long given up."""
    under_way: int = 0
    """Other sessions to which something was done a short time ago, of which no effect is known yet."""
    held_until: float | None = None
    """Nothing is done to the session before, since what was done did harm."""
    paused_until: float | None = None
    """Recovery is paused: infinity until somebody ends it."""
    process_paused: bool = False
    """So it is for a session of its connector process, whose connection must not be touched."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done now."""

    rule: Rule
    because: str
    """A sentence for operators."""
    strategy: Strategy
    """The rung that the session is on, or gets on now."""
    act: bool = False
    """Whether something is ordered now."""
    until: float | None = None
    """When the decision is due again at the latest, if a time is known; seconds since 1970."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Counters, budgets and learnt success that it rests on: JSON values."""

    def why(self) -> dict[str, Any]:
        """As the ledger keeps it."""
        return {"rule": str(self.rule), "because": self.because, **self.facts}


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
        return _permitted(Decision(Rule.SLOW, because, Strategy.SLOW_LANE, act=True), episode, around, now)
    if episode.rung_deeds or episode.attempts > episode.rung_attempts:
        return _climb(episode, around, now, because)
    rungs = [rung for rung in ladder(episode.last_cause) if rung.order >= episode.strategy.order]
    first = first_of(around.learnt, episode.last_cause, rungs or [episode.strategy])
    return _permitted(Decision(Rule.FIRST, because, first, act=True), episode, around, now)


_DOUBTS: Mapping[str, str] = {
    "deaf": "It is open, but nothing arrives.",
    "outbound_stuck": "It is open, but what it sends is not acknowledged.",
    "half_open": "It is open, but its heartbeats are not answered.",
}


def _climb(
    episode: Episode, around: Around, now: float, because: str, facts: Mapping[str, Any] | None = None
) -> Decision:
    """The next rung; at the end of the ladder the slow lane, where nothing is ordered at once."""
    higher = [rung for rung in ladder(episode.last_cause) if rung.order > episode.strategy.order]
    higher = [rung for rung in higher if rung.order <= Strategy.SLOW_LANE.order]
    if not higher:
        return Decision(Rule.RECONNECTS, because, episode.strategy, facts=facts or {})
    rung = first_of(around.learnt, episode.last_cause, higher)
    climb = Decision(Rule.CLIMB, because, rung, act=True, facts=facts or {})
    return climb if rung is Strategy.SLOW_LANE else _permitted(climb, episode, around, now)


def cost(strategy: Strategy, around: Around) -> int:
    """Logins that a deed makes: its own, and at a failover those of all who live on that process."""
    return 1 + around.siblings if strategy is Strategy.FAILOVER else 1


def _permitted(wanted: Decision, episode: Episode, around: Around, now: float) -> Decision:
    """The deed, if nothing speaks against it."""
    limits, strategy, price = around.limits, wanted.strategy, cost(wanted.strategy, around)
    own = room(around.budgets, around.deeds, strategy, now)
    process = room_for_logins(around.budgets, around.process_deeds, price, now)
    trials = around.learnt.of(episode.last_cause, strategy)
    facts = {
        **wanted.facts,
        "cause": str(episode.last_cause),
        "attempts": episode.attempts,
        "cost": price,
        "budget": _shown(own),
        "processBudget": _shown(process),
        "learnt": {"helped": trials.helped, "failed": trials.failed},
        "troubled": around.troubled,
        "sessions": around.sessions,
    }

    def no(rule: Rule, because: str, until: float | None = None) -> Decision:
        return Decision(rule, because, episode.strategy, until=until, facts={**facts, "wanted": str(strategy)})

    if around.held_until is not None and now < around.held_until:
        return no(Rule.HELD, "What was done before broke other sessions.", around.held_until)
    if episode.refused_at is not None and now < episode.refused_at + limits.refused_s:
        because = "Its host could not do it a short time ago."
        return no(Rule.REFUSED, because, episode.refused_at + limits.refused_s)
    shared = around.troubled >= max(limits.shared_least, limits.shared_share * around.sessions)
    if shared and strategy.is_deed:
        return no(Rule.SHARED, "Many sessions are in trouble: the cause is not in this one.")
    if around.under_way >= (1 if shared else limits.crowd):
        return no(Rule.CROWD, "Enough is being done to other sessions at the moment.")
    if own.free_at is not None:
        return no(Rule.BUDGET, "The budget of this session for it is used up.", own.free_at)
    if process.free_at is not None:
        return no(Rule.BUDGET, "The budget of its connector process for logins is used up.", process.free_at)
    if strategy is Strategy.FAILOVER:
        if around.process_paused:
            return no(Rule.PAUSED, "Recovery of another session of its connector process is paused.")
        last = max((d.at for d in around.process_deeds if d.strategy is Strategy.FAILOVER), default=-math.inf)
        if now < last + limits.failover_pause_s:
            because = "Its connector process was replaced a short time ago."
            return no(Rule.CROWD, because, last + limits.failover_pause_s)
    return Decision(wanted.rule, wanted.because, strategy, act=True, facts=facts)


def _shown(left: Room) -> dict[str, Any]:
    return {"used": left.used, "allowed": left.allowed, "freeAt": left.free_at}
