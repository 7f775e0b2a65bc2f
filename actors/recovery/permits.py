"""What may be done to a session now, and what becomes of one that is barred from it for long.  Pure."""

from dataclasses import replace
from typing import Any

from actors.recovery.budgets import HOUR_S, Room, room, room_for_logins
from actors.recovery.decision import Around, Decision, Limits, Rule
from actors.recovery.episodes import Episode
from actors.recovery.strategies import Strategy, ladder

BARRED = "barred"
"""Key in the facts of a decision for the slow lane, with the rule that has barred the session from what it wanted."""


def rungs(episode: Episode, around: Around) -> list[Strategy]:
    """Those from its own up to the slow lane, lowest first: what the budgets allow none of is no rung.

    Nor is a fresh actor while the trouble is that of a whole connector process: it would live on the same one.
    """
    found = [rung for rung in ladder(episode.last_cause) if rung.order >= episode.strategy.order]
    found = [rung for rung in found if rung is Strategy.SLOW_LANE or around.budgets.deeds.get(rung, 0) > 0]
    if around.of_process and not around.process_paused and Strategy.FAILOVER in found:
        found = [rung for rung in found if rung is not Strategy.RESTART]
    return [rung for rung in found if rung.order <= Strategy.SLOW_LANE.order]


def cost(strategy: Strategy, around: Around) -> int:
    """Logins that a deed makes: its own, and at a failover those of all who live on that process."""
    return 1 + around.siblings if strategy is Strategy.FAILOVER else 1


def permitted(wanted: Decision, episode: Episode, around: Around, now: float) -> Decision:
    """The deed, if nothing speaks against it.  An open session that is barred from it for long goes to the slow lane.

    A closed one tries by itself meanwhile, and a crowd goes by itself.
    """
    if wanted.strategy is Strategy.SLOW_LANE and episode.strategy is not Strategy.SLOW_LANE:
        return wanted  # nothing is done there at once
    said = _bounded(wanted, episode, around, now)
    if said.act or not episode.open or said.rule is Rule.CROWD or wanted.strategy is Strategy.SLOW_LANE:
        return said
    times = (episode.rung_at, episode.doubt_at, episode.pending_at, *(deed.at for deed in around.deeds))
    due = max(at for at in times if at is not None) + _patience(said.rule, around.limits)
    if now < due:
        return replace(said, until=min(due, said.until or due))
    because = f"For long nothing else could be done. {said.because}"
    facts = {**said.facts, BARRED: str(said.rule)}
    return Decision(Rule.CLIMB, because, Strategy.SLOW_LANE, act=True, facts=facts)


def _patience(rule: Rule, limits: Limits) -> float:
    """Seconds for which an open session waits for what it is barred from by that rule.

    What a budget counts, and what did harm, is forgotten within an hour, if others don't take the room.
    """
    return HOUR_S + limits.patience_s if rule in {Rule.BUDGET, Rule.HELD} else limits.slow_s


def _bounded(wanted: Decision, episode: Episode, around: Around, now: float) -> Decision:
    """The same, however long it lasts."""
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
        "processTroubled": around.process_troubled,
        "sessions": around.sessions,
    }

    def no(rule: Rule, because: str, until: float | None = None) -> Decision:
        return Decision(rule, because, episode.strategy, until=until, facts={**facts, "wanted": str(strategy)})

    if around.held_until is not None and now < around.held_until:
        return no(Rule.HELD, "What was done before broke other sessions.", around.held_until)
    if episode.refused_at is not None and now < episode.refused_at + limits.refused_s:
        because = "Its host could not do it a short time ago."
        return no(Rule.REFUSED, because, episode.refused_at + limits.refused_s)
    if around.shared and strategy.is_deed and (waits := _probe(strategy, around, now)) is not None:
        return no(Rule.SHARED, *waits)
    if around.under_way >= (1 if around.shared else limits.crowd):
        return no(Rule.CROWD, "Enough is being done to other sessions at the moment.")
    if own.free_at is not None:
        return no(Rule.BUDGET, "The budget of this session for it is used up.", own.free_at)
    if process.free_at is not None:
        return no(Rule.BUDGET, "The budget of its connector process for logins is used up.", process.free_at)
    if strategy is Strategy.FAILOVER:
        if around.process_paused:
            return no(Rule.PAUSED, "Recovery of another session of its connector process is paused.")
        replaced = around.replaced_at
        if replaced is not None and now < replaced + limits.failover_pause_s:
            because = "Its connector process was replaced a short time ago."
            return no(Rule.CROWD, because, replaced + limits.failover_pause_s)
    return Decision(wanted.rule, wanted.because, strategy, act=True, facts=facts)


def _probe(strategy: Strategy, around: Around, now: float) -> tuple[str, float] | None:
    """What was tried of late of a shared trouble, which is waited for, and until when; None: it is this one's turn.

    A failover that did not help one is no answer to what all suffer from, and costs many a login.
    """
    same = strategy is Strategy.FAILOVER and not around.of_process
    waits = [
        deed.at + (HOUR_S if same and deed.strategy is strategy else around.limits.probe_s)
        for deed in around.probes
        if deed.at <= now
    ]
    if waits and now < max(waits):
        return "Many sessions are in trouble, and what was done to another one has not helped so far.", max(waits)
    if strategy is Strategy.FAILOVER and around.replaced_at is not None:
        because = "Many sessions are in trouble, though their process was replaced within the hour."
        return because, around.replaced_at + HOUR_S
    return None


def _shown(left: Room) -> dict[str, Any]:
    return {"used": left.used, "allowed": left.allowed, "freeAt": left.free_at}
