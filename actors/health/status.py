"""From a session's state to the status of the public contract."""

from enum import StrEnum

from actors.health.liveness import FAULTS, UNPROVEN_AFTER_S
from actors.health.signals import Signals
from actors.session.causes import cause_named
from actors.session.vocabulary import State

DISCONNECTED_AFTER_S = 120.0
"""Seconds of trouble after which a session that tries to connect is called disconnected."""


class Status(StrEnum):
    """What the API, the metrics and the dashboards call a session's condition."""

    CONNECTED = "connected"
    CONNECTING = "connecting"
    PAIRING = "pairing"
    DISCONNECTED = "disconnected"
    BLOCKED = "blocked"
    ERROR = "error"
    STOPPED = "stopped"


_FIXED = {
    State.PAIRING: Status.PAIRING,
    State.CLOSING: Status.STOPPED,
    State.STOPPED: Status.STOPPED,
    State.BLOCKED: Status.BLOCKED,
    State.HALTED: Status.ERROR,
    State.PARKED: Status.ERROR,
}


def status_of(
    state: str,
    cause: str | None,
    since: float | None,
    now: float,
    evidence_age_s: float | None = None,
    liveness: str | None = None,
) -> Status:
    """The status of a session.

    ``since`` is since when it is not open (a session's ``down_since``), in seconds since 1970 like ``now``; None if
    that is not known.  ``evidence_age_s`` is the age of the last proof of life; None if that is not known.
    ``liveness`` is the last verdict about this connection, None without one.  A state that does not exist is an error.
    """
    if state not in _STATES:
        return Status.ERROR
    known = State(state)
    if known in _FIXED:
        return _FIXED[known]
    if known is State.OPEN:
        unproven = evidence_age_s is not None and evidence_age_s > UNPROVEN_AFTER_S
        return Status.ERROR if unproven or liveness in FAULTS else Status.CONNECTED
    # Without a cause nothing went wrong: it waits for its first admission.
    long = cause is not None and since is not None and now - since > DISCONNECTED_AFTER_S
    return Status.DISCONNECTED if long else Status.CONNECTING


def is_blocked(state: str, cause: str | None) -> bool:
    """Whether WhatsApp blocks the account, as far as is known."""
    known = cause_named(cause) if cause else None
    return state == State.BLOCKED and known is not None and known.is_blocked


def status(signals: Signals, now: float, liveness: str | None = None) -> Status:
    """The same from signals; ``liveness``: the verdict of now."""
    seen = signals.last_seen
    age = None if seen is None else now - seen
    return status_of(signals.state, signals.cause, signals.down_since, now, age, liveness)


_STATES = frozenset(state.value for state in State)
