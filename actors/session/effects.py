"""What a session's state machine wants done.  The actor does it, in order, and decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.session.causes_table import Cause
from actors.session.vocabulary import State


@dataclass(frozen=True, slots=True)
class OpenConnection:
    """Command ``open``; an error is told as ``OpenRefused``."""


@dataclass(frozen=True, slots=True)
class CloseConnection:
    """Command ``close``; an error needs no answer: there is a timer."""


@dataclass(frozen=True, slots=True)
class LogoutConnection:
    """Command ``logout``; an error needs no answer: there is a timer."""


@dataclass(frozen=True, slots=True)
class ResetAuth:
    """Command ``reset_auth``; its answer is told as ``AuthReset``."""


@dataclass(frozen=True, slots=True)
class DropLink:
    """End the link (``LinkDown`` follows) and make a new one: the connector does not do what it is told."""


@dataclass(frozen=True, slots=True)
class RequestPairingCode:
    """Command ``pairing_code``; the actor itself answers ``ref`` with what comes back."""

    ref: str
    phone: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PublishQr:
    """There is a new QR, or none any more."""

    qr: str | None = field(repr=False)
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class ReportPaired:
    """A pairing is complete."""

    me: str | None


@dataclass(frozen=True, slots=True)
class ReportTransition:
    """The session changed its state, or a connection ended.  Store ``SessionState.to_save()`` with it."""

    state: State
    previous: State
    cause: Cause | None = None
    """Why; None when there is no trouble."""
    code: int = 0
    reason: str = ""
    message: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 0
    """Attempts of the episode; 0 when open."""
    until: float | None = None
    """Seconds since 1970 when a temporary ban is over."""
    down_since: float | None = None
    """Seconds since 1970 since when it is not open; None when it is."""
    resumed: bool = False
    """Nothing changed: a state from before a restart goes on."""


@dataclass(frozen=True, slots=True)
class AskPlan:
    """Ask the recovery actor what to do; the answer is told as ``PlanArrived``."""

    ask: int
    cause: Cause
    attempt: int
    """As ``actors.recovery.plans.plan`` counts it."""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Tell ``TimerDue(token)`` after ``delay_s`` seconds.  It replaces the one before."""

    delay_s: float
    token: int


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Forget the timer."""


@dataclass(frozen=True, slots=True)
class AnswerCommand:
    """The answer to a command."""

    ref: str
    error: str | None = None
    """None: done, or begun; else conflict, refused, not_open, unavailable or limit, as in the API's backend."""
    message: str = ""
    """A sentence for humans."""
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """For a pairing: qr and expires_at."""


@dataclass(frozen=True, slots=True)
class Retire:
    """End this actor: a newer one owns the session."""


Effect = (
    OpenConnection
    | CloseConnection
    | LogoutConnection
    | ResetAuth
    | DropLink
    | RequestPairingCode
    | PublishQr
    | ReportPaired
    | ReportTransition
    | AskPlan
    | SetTimer
    | CancelTimer
    | AnswerCommand
    | Retire
)
