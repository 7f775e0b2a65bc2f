"""The state machine of a session: ``step`` makes of a state and an event the next state and what is to be done.

What it holds to, over restarts too: an unpaired session opens a connection only when somebody asks for a QR; a
stopped, blocked or halted one only when an operator says so, or when a temporary ban is over; an auth state that
WhatsApp threw out is never used again; there is one timer, and at most one connection.
"""

from collections.abc import Callable
from typing import Any

from actors.session import commands, endings, linking, opening, pausing, planning, proxying, resetting
from actors.session.draft import WATCH_S, Draft
from actors.session.effects import DropLink, Effect
from actors.session.inputs import clock, connector, host, operators
from actors.session.inputs.event import Event
from actors.session.state import Goal, Purpose, SessionState


def step(state: SessionState, event: Event, now: float) -> tuple[SessionState, tuple[Effect, ...]]:
    """The state after ``event``, and what is to be done, in order.  ``now`` is in seconds since 1970.

    Evidence (RTT, acknowledgements, messages) changes nothing here.  Raises ValueError if a link comes up, or
    something comes from one, before ``Resumed``: it is not known yet what the session may do.
    """
    draft = Draft(state, now)
    if isinstance(event, operators.Command):
        commands.handle(draft, event)
    elif not state.retired and (handler := _HANDLERS.get(type(event))):
        if not state.resumed and not isinstance(event, host.Resumed | host.ProxyChanged | host.PolicyChanged):
            raise ValueError(f"{type(event).__name__} came before Resumed")
        handler(draft, event)
    return draft.s, tuple(draft.effects)


def _timelock(d: Draft, event: connector.Timelock) -> None:
    d.set(timelocked=event.active)


def _timer_due(d: Draft, event: clock.TimerDue) -> None:
    if d.s.timer is None or d.s.timer.token != event.token:
        return
    purpose = d.s.timer.purpose
    d.set(timer=None)
    if purpose is Purpose.PLAN:
        planning.unanswered(d)
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
    host.Resumed: linking.resumed,
    host.LinkUp: linking.link_up,
    host.LinkDown: linking.link_down,
    host.ConnectorFaulty: linking.connector_faulty,
    host.Move: linking.move,
    host.PolicyChanged: planning.policy_changed,
    host.PauseChanged: pausing.changed,
    host.ProxyChanged: proxying.changed,
    connector.Superseded: linking.superseded,
    connector.Queued: opening.queued,
    connector.Connecting: opening.connecting,
    connector.Qr: opening.qr,
    connector.Paired: opening.paired,
    connector.Opened: opening.opened,
    connector.Closed: endings.closed,
    connector.Timelock: _timelock,
    connector.OpenRefused: opening.refused,
    connector.AuthReset: resetting.done,
    clock.PlanArrived: planning.arrived,
    clock.TimerDue: _timer_due,
}
