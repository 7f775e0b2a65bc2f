"""The state machine of a session: ``step`` makes of a state and an event the next state and what is to be done.

What it holds to, over restarts too: an unpaired session opens a connection only when somebody asks for a QR; a
stopped, blocked or halted one only when an operator says so, or when a temporary ban is over; an auth state that
WhatsApp threw out is never used again; there is one timer, and at most one connection.
"""

from collections.abc import Callable
from typing import Any

from actors.recovery.plans import Action
from actors.session import commands, endings, inputs, pausing, proxying, renewal
from actors.session.causes import Cause
from actors.session.draft import AT_REST, PLAN_DEADLINE_S, QUEUE_WATCH_S, SETTLE_S, WATCH_S, Draft
from actors.session.effects import (
    CloseConnection,
    DropLink,
    Effect,
    ReportPaired,
)
from actors.session.state import Goal, Purpose, Saved, SessionState, Trouble
from actors.session.vocabulary import State


def step(state: SessionState, event: inputs.Event, now: float) -> tuple[SessionState, tuple[Effect, ...]]:
    """The state after ``event``, and what is to be done, in order.  ``now`` is in seconds since 1970.

    Evidence (RTT, acknowledgements, messages) changes nothing here.  Raises ValueError if a link comes up, or
    something comes from one, before ``Resumed``: it is not known yet what the session may do.
    """
    draft = Draft(state, now)
    if isinstance(event, inputs.Command):
        commands.handle(draft, event)
    elif not state.retired and (handler := _HANDLERS.get(type(event))):
        if not state.resumed and not isinstance(event, inputs.Resumed | inputs.ProxyChanged):
            raise ValueError(f"{type(event).__name__} came before Resumed")
        handler(draft, event)
    return draft.s, tuple(draft.effects)


# The actor and its link.


def _resumed(d: Draft, event: inputs.Resumed) -> None:
    if d.s.resumed:
        return
    saved = event.saved or Saved()
    stopped = saved.state is State.STOPPED if event.enabled is None else not event.enabled
    d.set(
        resumed=True,
        trouble=saved.trouble,
        verdict=saved.verdict,
        attempt=saved.attempt,
        refusals=saved.refusals,
        restarts=saved.restarts,
        stale_auth=saved.stale_auth,
        me=saved.me,
        down_since=d.now if saved.down_since is None else saved.down_since,
        replaced=saved.replaced,
        paused_until=event.paused_until,
    )
    if stopped:
        d.move(State.STOPPED, resumed=saved.state is State.STOPPED)
    elif saved.verdict and (saved.stale_auth or saved.verdict.until is None or saved.verdict.until > d.now):
        d.set(trouble=saved.verdict.trouble)
        d.move(saved.verdict.state, resumed=saved.state is saved.verdict.state)
        d.await_end_of_ban()
    d.set(since=saved.since if d.s.state is saved.state else d.now)


def _link_up(d: Draft, event: inputs.LinkUp) -> None:  # noqa: C901 - one case a line
    if d.s.link:
        _link_down(d, inputs.LinkDown())
    live = event.phase != "idle"
    released = renewal.found(d, event.replaced)
    deleted = d.s.stale_auth and not event.paired
    d.set(link=True, connected=live, paired=event.paired, me=event.me or d.s.me)
    d.set(can_proxy=event.can_proxy, proxied=event.proxied)
    if deleted:
        d.set(stale_auth=False)
    if d.s.verdict is not None and d.s.verdict.trouble.cause is Cause.PROXY_UNUSABLE:
        proxying.relieve(d)
        if d.s.state not in AT_REST:
            return
    if released and d.s.state is not State.STOPPED:
        d.connect()
    elif d.s.state in AT_REST:
        if live:
            d.emit(CloseConnection())
        elif deleted and d.s.state is State.HALTED:
            # The actor before ended between the deletion of the auth state and its own report of it.
            d.rest_unpaired()
    elif live:
        _adopt(d, event)
    elif not d.s.paired:
        d.rest_unpaired()
    elif d.s.due and event.fresh and d.s.state is State.WAITING:
        d.connect()
    elif d.s.state in {State.STARTING, State.PAIRING} or d.s.due:
        # Also when it was paired, and the connector died between committing that and telling it.
        d.arm(Purpose.SETTLE, SETTLE_S)


def _adopt(d: Draft, event: inputs.LinkUp) -> None:
    """Go on with a connection that outlived its link, unless it goes a way that was changed meanwhile."""
    d.set(due=False, verdict=None, ordered=False)
    if proxying.is_astray(d.s):
        d.set(ordered=True)
        d.close(Goal.REOPEN)
        return
    if event.phase == "open":
        d.set(paired=True, opened_at=event.opened_at or d.now)
        d.move(State.OPEN)
        return
    if event.phase == "pairing" or not event.paired:
        d.move(State.PAIRING)
        if event.qr is not None:
            d.show_qr(event.qr, event.qr_expires_at)
    else:
        d.move(State.CONNECTING)
    d.arm(Purpose.WATCH, QUEUE_WATCH_S if event.phase == "queued" else WATCH_S)


def _link_down(d: Draft, _event: inputs.LinkDown) -> None:
    _lose_link(d, Trouble(Cause.CONNECTOR_LOST))


def _connector_faulty(d: Draft, event: inputs.ConnectorFaulty) -> None:
    """Told before the end of the link, after it, or instead of a link; an operator is shown it in each case."""
    trouble, before = Trouble(Cause.CONNECTOR_FAULTY, reason=event.fault, message=event.sentence), d.s.trouble
    _lose_link(d, trouble)
    if d.s.trouble == trouble or d.s.state in AT_REST | {State.CLOSING}:
        return  # it was told right now, or before; or it is not what the session rests for
    if d.s.state is State.STARTING:
        d.set(due=True)
        d.move(State.WAITING, trouble)
    elif d.s.due or d.s.state is State.PAIRING or (before is not None and before.cause is Cause.CONNECTOR_LOST):
        d.move(d.s.state, trouble)


def _lose_link(d: Draft, trouble: Trouble) -> None:
    connected, goal = d.s.connected, d.s.goal
    d.set(link=False, resetting=False)
    d.fail_waiters("unavailable", trouble.cause.sentence)
    if d.s.timer and d.s.timer.purpose is Purpose.SETTLE:
        d.disarm()
    if d.s.state is State.CLOSING and goal is not None:
        endings.closed_for(d, goal, trouble)
    elif connected and d.s.state not in AT_REST:
        d.ended(trouble)
    d.set(connected=False)


def _move(d: Draft, _event: inputs.Move) -> None:
    if d.s.state is State.CLOSING:
        # What it is closed for comes first; a link to a process that is about to end is lost soon in any case.
        d.set(goal=Goal.MOVE if d.s.goal in {Goal.REOPEN, Goal.HEAL} else d.s.goal)
    elif d.s.connected and d.s.state not in AT_REST:
        d.close(Goal.MOVE)
    elif d.s.link:
        d.emit(DropLink())


def _superseded(d: Draft, _event: inputs.Superseded) -> None:
    d.retire()


# The connection.


def _wanted(d: Draft) -> bool:
    """Whether news is of a connection that we want and that is not open yet; one that nobody wants is closed."""
    known = d.s.connected
    d.set(connected=True)
    if d.s.state in AT_REST and not known:
        d.emit(CloseConnection())
    return d.s.state not in AT_REST | {State.CLOSING, State.OPEN}


def _under_way(d: Draft, watch_s: float) -> None:
    if not _wanted(d):
        return
    if d.s.state is not State.PAIRING:
        d.set(due=False)
        d.move(State.CONNECTING)
    d.arm(Purpose.WATCH, watch_s)


def _queued(d: Draft, _event: inputs.Queued) -> None:
    _under_way(d, QUEUE_WATCH_S)


def _connecting(d: Draft, _event: inputs.Connecting) -> None:
    _under_way(d, WATCH_S)


def _qr(d: Draft, event: inputs.Qr) -> None:
    if not _wanted(d):
        return
    d.set(paired=False, stale_auth=False, due=False)
    d.move(State.PAIRING)
    d.arm(Purpose.WATCH, WATCH_S)
    d.show_qr(event.qr, event.expires_at)


def _paired(d: Draft, event: inputs.Paired) -> None:
    if _wanted(d):
        d.set(due=False)
        d.move(State.PAIRING)
        d.arm(Purpose.WATCH, WATCH_S)
    d.hide_qr()
    d.set(paired=True, stale_auth=False, timelocked=False, me=event.me or d.s.me)
    d.forget_failures()
    d.fail_waiters("conflict", "the session is paired")
    d.emit(ReportPaired(d.s.me))


def _opened(d: Draft, event: inputs.Opened) -> None:
    d.set(me=event.me or d.s.me)
    if not _wanted(d):
        return
    d.hide_qr()
    d.fail_waiters("conflict", "the session is paired")
    d.set(paired=True, opened_at=d.now, verdict=None, due=False, ordered=False)
    d.move(State.OPEN)


def _timelock(d: Draft, event: inputs.Timelock) -> None:
    d.set(timelocked=event.active)


def _open_refused(d: Draft, event: inputs.OpenRefused) -> None:
    if event.code == "busy" or not d.s.connected:
        return  # There is a connection, and it will be heard of; if not, there is the timer.
    endings.closed(d, inputs.Closed(0, event.code, event.message))


def _auth_reset(d: Draft, event: inputs.AuthReset) -> None:
    if not d.s.resetting:
        return
    d.set(resetting=False)
    if event.error == "fenced":
        d.emit(DropLink())  # main has had the auth state meanwhile: the next link says what came of it
    if event.error is not None:
        d.fail_waiters("unavailable", f"the auth state could not be deleted: {event.error}")
        return
    d.set(stale_auth=False, paired=False, me=None, verdict=None)
    d.forget_failures()
    if d.s.state is State.STOPPED:
        d.fail_waiters("refused", Cause.OPERATOR_STOP.sentence)
        return
    if d.s.connected:
        # One that nobody wanted came up meanwhile: first its end.
        d.fail_waiters("unavailable", "a connection is being closed; try again")
        d.close(Goal.REOPEN)
        return
    d.rest_unpaired()
    if d.s.waiters:
        d.open_pairing()


# Plans and time.


def _plan_arrived(d: Draft, event: inputs.PlanArrived) -> None:
    awaited = d.s.timer is not None and d.s.timer.purpose is Purpose.PLAN and event.ask == d.s.asks
    # What makes no sense for a session that waits is as good as no answer.
    if awaited and event.action not in {Action.NONE, Action.IDLE}:
        d.set(planned_by="recovery")
        d.follow_plan(event.action, event.delay_s)


def _timer_due(d: Draft, event: inputs.TimerDue) -> None:
    if d.s.timer is None or d.s.timer.token != event.token:
        return
    purpose = d.s.timer.purpose
    d.set(timer=None)
    if purpose is Purpose.PLAN and d.s.fallback:
        d.set(planned_by="session")
        d.follow_plan(d.s.fallback.action, d.s.fallback.delay_s - PLAN_DEADLINE_S)
    elif purpose in {Purpose.RETRY, Purpose.SETTLE}:
        d.connect()
    elif purpose is Purpose.WATCH:
        d.close(Goal.GIVE_UP)
    elif purpose is Purpose.CLOSE:
        d.emit(DropLink())
        d.arm(Purpose.CLOSE, WATCH_S)
    elif purpose is Purpose.BAN:
        pausing.ban_due(d)
    elif purpose is Purpose.HOLD:
        pausing.hold_due(d)


_HANDLERS: dict[type[Any], Callable[[Draft, Any], None]] = {
    inputs.Resumed: _resumed,
    inputs.LinkUp: _link_up,
    inputs.LinkDown: _link_down,
    inputs.ConnectorFaulty: _connector_faulty,
    inputs.Move: _move,
    inputs.PauseChanged: pausing.changed,
    inputs.ProxyChanged: proxying.changed,
    inputs.Superseded: _superseded,
    inputs.Queued: _queued,
    inputs.Connecting: _connecting,
    inputs.Qr: _qr,
    inputs.Paired: _paired,
    inputs.Opened: _opened,
    inputs.Closed: endings.closed,
    inputs.Timelock: _timelock,
    inputs.OpenRefused: _open_refused,
    inputs.AuthReset: _auth_reset,
    inputs.PlanArrived: _plan_arrived,
    inputs.TimerDue: _timer_due,
}
