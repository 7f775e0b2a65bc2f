"""The end of a connection: what it means for a session that wanted it, that was closing it, or that is at rest."""

from dataclasses import replace

from actors.session import planning
from actors.session.causes import Cause, classify
from actors.session.draft import Draft
from actors.session.inputs import connector
from actors.session.state import Goal, Trouble, Verdict
from actors.session.vocabulary import AT_REST, State

STABLE_S = 60.0
"""Seconds of being open that end an episode: a session that flaps goes on backing off."""


def closed(d: Draft, event: connector.Closed) -> None:
    """The connector says that a connection ended."""
    cause = classify(event.code, event.reason, event.data)
    trouble = Trouble(cause, event.code, event.reason, event.message, event.data)
    d.set(connected=False)
    if d.s.state is State.CLOSING and d.s.goal is not None:
        closed_for(d, d.s.goal, trouble)
    elif d.s.state in AT_REST:
        _closed_at_rest(d, trouble)
    else:
        ended(d, trouble)


def closed_for(d: Draft, goal: Goal, trouble: Trouble) -> None:
    """A connection that we were closing has ended, perhaps for another reason than ours."""
    ours = trouble.cause in {Cause.CLOSED_BY_US, Cause.CONNECTOR_LOST, Cause.CONNECTOR_FAULTY}
    logged_out = trouble.cause is Cause.INTENTIONAL_LOGOUT
    healing = d.s.healing or Cause.CONNECTION_CLOSED
    d.set(goal=None, connected=False, healing=None)
    if d.s.logout_ref is not None:
        if logged_out:
            d.answer(d.s.logout_ref)
        else:
            d.answer(d.s.logout_ref, "unavailable", trouble.cause.sentence)
        d.set(logout_ref=None)
    if goal is Goal.STOP:
        d.fail_waiters("refused", Cause.OPERATOR_STOP.sentence)
        d.set(opened_at=None)
        d.hide_qr()
        _closed_at_rest(d, trouble, stopping=True)
    elif goal is Goal.REOPEN and ours:
        d.set(opened_at=None)
        d.forget_failures()
        d.connect(replace(trouble, cause=Cause.OPERATOR_RECONNECT))
    elif goal is Goal.HEAL and ours:
        d.set(opened_at=None)
        d.connect(replace(trouble, cause=healing))
    elif goal is Goal.MOVE and ours:
        d.set(opened_at=None)
        d.leave(replace(trouble, cause=Cause.CONNECTOR_RECYCLED))
    elif goal is Goal.GIVE_UP and ours:
        ended(d, replace(trouble, cause=Cause.OPEN_DEADLINE))
    else:
        ended(d, trouble)


def ended(d: Draft, trouble: Trouble) -> None:
    """A connection ended, and not because we wanted it: decide what comes next."""
    if trouble.cause is Cause.PAIRING_EXPIRED and d.s.paired:
        # Does not happen to a paired device: an ordinary end, whatever the connector calls it.
        trouble = replace(trouble, cause=Cause.CONNECTION_CLOSED)
    if d.s.opened_at is not None and d.now - d.s.opened_at >= STABLE_S:
        d.forget_failures()
    d.set(connected=False, opened_at=None, goal=None, due=False, planned_by="rule")
    d.hide_qr()
    d.fail_waiters("unavailable", trouble.cause.sentence)
    if trouble.cause is Cause.INTENTIONAL_LOGOUT:
        d.set(paired=False, me=None)
    if trouble.cause.needs_pairing and d.s.paired:
        d.set(stale_auth=True)
    if trouble.cause is Cause.FENCED:
        d.move(d.s.state, trouble)
        d.retire()
    elif not d.s.paired and (trouble.cause.needs_pairing or not trouble.cause.disposition.is_verdict):
        d.rest_unpaired(trouble)
    else:
        planning.decide(d, trouble)


def _closed_at_rest(d: Draft, trouble: Trouble, *, stopping: bool = False) -> None:
    """A connection that nobody wanted has ended: all that can be new is a verdict."""
    if trouble.cause is Cause.FENCED:
        d.move(d.s.state, trouble)
        d.retire()
        return
    if trouble.cause is Cause.INTENTIONAL_LOGOUT:
        d.set(paired=False, me=None)
    verdict = None
    # That the device was thrown out outweighs whatever comes after it.
    if trouble.cause.disposition.is_verdict and not d.s.stale_auth:
        until = planning.plan_for(d, trouble)[1].until
        verdict = Verdict(planning.standing(trouble), trouble, until)
        d.set(stale_auth=trouble.cause.needs_pairing and d.s.paired)
    if stopping or d.s.state is State.STOPPED:
        d.set(verdict=verdict or d.s.verdict)
        d.move(State.STOPPED, trouble if verdict else replace(trouble, cause=Cause.OPERATOR_STOP))
    elif verdict:
        d.convict(verdict)
    else:
        d.move(d.s.state, trouble)
