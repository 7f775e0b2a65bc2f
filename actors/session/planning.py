"""What comes after the end of a connection: the plan that the rules make, or the one that recovery is asked for."""

import random

from actors.recovery.plans import AT_ONCE_WINDOW_S, Action, Plan, plan
from actors.session import pausing
from actors.session.causes_table import Cause
from actors.session.counting import next_number
from actors.session.draft import Draft
from actors.session.effects import AskPlan
from actors.session.inputs import clock, host
from actors.session.state import Purpose, Trouble, Verdict
from actors.session.vocabulary import Disposition, State

PLAN_DEADLINE_S = 1.5
"""Seconds that the recovery actor has for a plan."""
LONGEST_DELAY_S = 30 * 24 * 3600.0
"""Seconds that a session waits before an attempt, at most."""


def policy_changed(d: Draft, event: host.PolicyChanged) -> None:
    """For the plans to come; what is waited for already stays."""
    d.set(policy=event.policy)


def plan_for(d: Draft, trouble: Trouble) -> tuple[int, Plan]:
    """The number of the attempt, and the plan that the session makes for itself."""
    cause = trouble.cause
    number = next_number(d.s, cause, d.now)
    if cause.disposition is Disposition.AT_ONCE:
        recent = tuple(t for t in d.s.restarts if d.now - t < AT_ONCE_WINDOW_S)
        d.set(restarts=(*recent, d.now))
    elif cause.disposition is Disposition.FEW_TRIES:
        d.set(refusals=number)
    # The generator is a function of the state, so that a replayed log of events decides the same.
    rng = random.Random(f"{d.s.seed}:{d.s.timers}:{d.s.attempt}")
    return number, plan(cause, number, trouble.data, d.now, rng, d.s.policy)


def standing(trouble: Trouble) -> State:
    """The state of a verdict: few tries that are used up halt, too."""
    return trouble.cause.state if trouble.cause.disposition.is_verdict else State.HALTED


def decide(d: Draft, trouble: Trouble) -> None:
    """A connection ended that was wanted: do what the rules say, and ask recovery where there is a choice of when."""
    number, decided = plan_for(d, trouble)
    if decided.action is Action.HALT:
        d.convict(Verdict(standing(trouble), trouble))
    elif decided.action is Action.WAIT_UNTIL:
        d.convict(Verdict(State.BLOCKED, trouble, decided.until))
    else:
        at_once = decided.action is Action.RECONNECT and decided.delay_s <= 0
        if at_once and trouble.cause is Cause.RESTART_REQUIRED:
            # A restart that WhatsApp asks for is no failure.
            d.set(ordered=True)
        else:
            d.set(attempt=d.s.attempt + 1)
        if at_once:
            d.connect(trouble)
        elif pausing.holds(d):
            pausing.hold(d, trouble)
        else:
            _ask(d, trouble, number, decided)


def _ask(d: Draft, trouble: Trouble, number: int, fallback: Plan) -> None:
    d.set(asks=d.s.asks + 1, fallback=fallback)
    d.move(State.WAITING, trouble)
    d.emit(AskPlan(d.s.asks, trouble.cause, number, trouble.data))
    d.arm(Purpose.PLAN, PLAN_DEADLINE_S)


def arrived(d: Draft, event: clock.PlanArrived) -> None:
    """Recovery has answered."""
    awaited = d.s.timer is not None and d.s.timer.purpose is Purpose.PLAN and event.ask == d.s.asks
    # What makes no sense for a session that waits is as good as no answer.
    if awaited and event.action not in {Action.NONE, Action.IDLE}:
        d.set(planned_by="recovery")
        _follow(d, event.action, event.delay_s)


def unanswered(d: Draft) -> None:
    """Recovery has not answered in time: the session plans for itself."""
    if d.s.fallback:
        d.set(planned_by="session")
        _follow(d, d.s.fallback.action, d.s.fallback.delay_s - PLAN_DEADLINE_S)


def _follow(d: Draft, action: Action, delay_s: float) -> None:
    """Do what the recovery actor, or the session for itself, decided about WAITING."""
    d.set(fallback=None)
    if action is Action.HALT and d.s.trouble:
        d.convict(Verdict(standing(d.s.trouble), d.s.trouble))
    elif delay_s > 0:
        delay = min(delay_s, LONGEST_DELAY_S)
        d.set(next_attempt_at=d.now + delay)
        d.arm(Purpose.RETRY, delay)
    else:
        d.connect()
