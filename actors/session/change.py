"""A transition of a session as those see it who read of it: health and recovery.  Times are seconds since 1970."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from actors.session.causes import Cause, cause_named
from actors.session.vocabulary import State

NO_FAILURE = frozenset(
    {
        Cause.RESTART_REQUIRED,
        Cause.CLOSED_BY_US,
        Cause.INTENTIONAL_LOGOUT,
        Cause.OPERATOR_STOP,
        Cause.OPERATOR_RECONNECT,
        Cause.CONNECTOR_RECYCLED,
        Cause.PAIRING_EXPIRED,
        Cause.FENCED,
    }
)
"""Ends of connections that somebody wanted or that belong to the protocol: they say nothing about health."""
_AWAY = frozenset({State.WAITING, State.BLOCKED, State.HALTED})
_ENDS: Mapping[State, frozenset[State]] = {
    State.OPEN: _AWAY | {State.CONNECTING, State.PAIRING},
    State.CONNECTING: _AWAY | {State.CONNECTING},
    State.PAIRING: _AWAY | {State.CONNECTING, State.PAIRING},
    State.CLOSING: _AWAY,
    State.STARTING: _AWAY,
    State.WAITING: frozenset({State.WAITING, State.BLOCKED}),
}
"""Previous state -> states: the transitions that the end of a connection makes.  An attempt is none of them."""


@dataclass(frozen=True, slots=True)
class Change:
    """A transition of a session, as the shard's outbox tells it."""

    at: float
    state: State
    previous: State
    cause: Cause | None = None
    until: float | None = None
    """When a temporary ban is over."""
    resumed: bool = False
    """Nothing ended: a state from before a restart goes on."""
    heard_at: float | None = None
    """When the server had last said anything."""
    planned_by: str | None = None
    """Of an attempt: recovery, session (it heard nothing of recovery in time), rule (no plan is needed)."""
    held: bool = False
    """It waits for the end of a pause of recovery."""


def is_failure(change: Change) -> bool:
    """Whether the transition tells of a connection that ended by a failure, and not of what is done about it."""
    return (
        change.cause is not None
        and change.cause not in NO_FAILURE
        and not change.resumed
        and change.state in _ENDS.get(change.previous, ())
    )


def read_change(at: float, data: Mapping[str, Any]) -> Change | None:
    """The change that the data of a ``session.state`` event tells; None if it names a state that does not exist.

    A cause that does not exist is taken for ``unknown``: a newer actor may know more.
    """
    state, previous = data.get("state"), data.get("previous")
    if state not in _NAMES or previous not in _NAMES:
        return None
    cause, until, heard, planned = (data.get(key) for key in ("cause", "until", "heardAt", "plannedBy"))
    return Change(
        at=at,
        state=State(state),
        previous=State(previous),
        cause=None if cause is None else cause_named(str(cause)) or Cause.UNKNOWN,
        until=float(until) if isinstance(until, int | float) else None,
        resumed=data.get("resumed") is True,
        heard_at=float(heard) if isinstance(heard, int | float) else None,
        planned_by=planned if isinstance(planned, str) else None,
        held=data.get("held") is True,
    )


_NAMES = frozenset(state.value for state in State)
