"""Maintenance: while recovery of the session is paused it opens no connection by itself.

A connection that is open stays open, one that is under way goes on; after its end the session waits for the end of the
pause.  What an operator orders, and what is no recovery (a restart that the protocol asks for, the move to another
connector process), is carried out as ever.
"""

import math
from typing import TYPE_CHECKING

from actors.session.state import Purpose, Trouble
from actors.session.vocabulary import State

if TYPE_CHECKING:
    from actors.session.draft import Draft
    from actors.session.inputs import host

LOOK_S = 3600.0
"""The end of a pause is waited for in pieces, since timers may stand still while a machine is suspended."""
_WOULD_CONNECT = frozenset({Purpose.PLAN, Purpose.RETRY, Purpose.HOLD})


def holds(d: "Draft") -> bool:
    """Whether a connection must not be opened now."""
    return not d.s.ordered and d.s.paused_until is not None and d.s.paused_until > d.now


def hold(d: "Draft", trouble: Trouble | None = None) -> None:
    """Wait for the end of the pause instead of connecting."""
    until = d.s.paused_until if d.s.paused_until is not None else d.now
    waited = d.s.state is State.WAITING and trouble is None
    d.set(due=False, fallback=None)
    d.move(State.WAITING, trouble)
    d.set(next_attempt_at=until if math.isfinite(until) else None)
    d.arm(Purpose.HOLD, min(max(until - d.now, 0.0), LOOK_S))
    if waited:
        d.report(State.WAITING, resumed=True)  # nothing ended: what is new is how long it waits


def changed(d: "Draft", event: "host.PauseChanged") -> None:
    """A pause began, ended, or ends at another time."""
    if event.until == d.s.paused_until:
        return
    d.set(paused_until=event.until)
    purpose = d.s.timer.purpose if d.s.timer else None
    if holds(d):
        if purpose in _WOULD_CONNECT:
            hold(d)
    elif purpose is Purpose.HOLD:
        d.connect()
    elif purpose is Purpose.BAN:
        ban_due(d)


def hold_due(d: "Draft") -> None:
    """The time of the pause, or a piece of it, is over."""
    if holds(d):
        until = d.s.paused_until or d.now
        d.arm(Purpose.HOLD, min(until - d.now, LOOK_S))
    else:
        d.connect()


def ban_due(d: "Draft") -> None:
    """A temporary ban, or a piece of it, is over; a paused session stays blocked until the pause is over as well."""
    if d.s.until is not None and d.s.until > d.now:
        d.await_end_of_ban()
    elif holds(d):
        d.arm(Purpose.BAN, min((d.s.paused_until or d.now) - d.now, LOOK_S))
    elif d.s.verdict:
        d.connect()
