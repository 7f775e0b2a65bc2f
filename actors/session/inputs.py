"""What a session's state machine is told.  Times are seconds since 1970, durations say their unit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.recovery.plans import Action
from actors.session.causes_table import Cause
from actors.session.state import Proxy, Saved

# From the host: the life of the actor and of its link.


@dataclass(frozen=True, slots=True)
class Resumed:
    """The state that the actor before left behind.  Nothing is done before this."""

    saved: Saved | None
    enabled: bool | None = None
    """What the operator's record says, which is the newer of the two; None: the saved state decides."""
    paused_until: float | None = None
    """As ``PauseChanged`` says it."""


@dataclass(frozen=True, slots=True)
class LinkUp:
    """The connector answered ``hello``."""

    adopted: bool
    phase: str
    """idle, queued, connecting, pairing or open"""
    paired: bool
    me: str | None = None
    opened_at: float | None = None
    qr: str | None = field(default=None, repr=False)
    qr_expires_at: float | None = None
    proxied: str | None = None
    """The mark of the proxy that the connection goes through."""
    can_proxy: bool = False
    fresh: bool = False
    """It is another process than the one that the link before was to: it has nothing to tell of what was before."""
    replaced: int = 0
    """The generation under which main last put another auth state in its place; 0: never."""


@dataclass(frozen=True, slots=True)
class ProxyChanged:
    """The session's connections have to go another way from now on; also told before ``Resumed``."""

    proxy: Proxy | None


@dataclass(frozen=True, slots=True)
class PauseChanged:
    """Recovery is paused, or no longer."""

    until: float | None
    """Infinity: until it is told otherwise; None, or a time that is over: not paused."""


@dataclass(frozen=True, slots=True)
class Move:
    """A new connector process listens in the place of the one that the link is to."""


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The link to the connector ended."""


@dataclass(frozen=True, slots=True)
class ConnectorFaulty:
    """The connector process broke the protocol or can't start: it is ended, or not there, and tried again."""

    fault: str
    """Its kind."""
    sentence: str


# From the connector.


@dataclass(frozen=True, slots=True)
class Queued:
    """The connection waits for admission."""

    position: int = 0


@dataclass(frozen=True, slots=True)
class Connecting:
    """The connection attempt begins."""


@dataclass(frozen=True, slots=True)
class Qr:
    """A QR to be shown; it replaces the one before."""

    qr: str = field(repr=False)
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class Paired:
    """The new credentials are committed."""

    me: str | None


@dataclass(frozen=True, slots=True)
class Opened:
    """Logged in."""

    me: str | None = None
    version: str | None = None
    login_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection ended, or could not be opened."""

    code: int
    reason: str
    message: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rtt:
    """A heartbeat was answered."""

    ms: float


@dataclass(frozen=True, slots=True)
class HeartbeatMissed:
    """A heartbeat was not answered."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of ours is on the wire; the server has yet to answer it."""

    message_id: str


@dataclass(frozen=True, slots=True)
class Ack:
    """The server answered a message that we sent."""

    message_id: str
    error: int | None
    """None: accepted."""
    ms: float


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt for a message that we sent."""

    message_id: str
    type: str


@dataclass(frozen=True, slots=True)
class Received:
    """An inbound message was decrypted."""

    message_id: str


@dataclass(frozen=True, slots=True)
class Heard:
    """Something came over the server's delivery path that is no message and no receipt."""


@dataclass(frozen=True, slots=True)
class Undecryptable:
    """An inbound message could not be decrypted."""

    message_id: str


@dataclass(frozen=True, slots=True)
class Timelock:
    """WhatsApp restricts what the account may send, or no longer does."""

    active: bool
    until: float | None = None


@dataclass(frozen=True, slots=True)
class MessageCap:
    """How many new chats WhatsApp lets the account begin; None: not told."""

    used: int | None
    total: int | None
    capped: bool
    """It may begin no more."""
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Superseded:
    """A link with a higher generation took over."""


@dataclass(frozen=True, slots=True)
class OpenRefused:
    """The connector answered ``open`` with an error."""

    code: str
    """An error code of the connector protocol."""
    message: str = ""


@dataclass(frozen=True, slots=True)
class AuthReset:
    """The connector answered ``reset_auth``."""

    error: str | None = None
    """An error code; None: the auth state is deleted."""


# From the recovery actor and the clock.


@dataclass(frozen=True, slots=True)
class PlanArrived:
    """The answer to ``AskPlan``."""

    ask: int
    """The number of the question; the answer to another one is not heeded."""
    action: Action
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class TimerDue:
    """The time of a ``SetTimer`` has come."""

    token: int


# From operators.  ``ref`` is given back with the answer.


@dataclass(frozen=True, slots=True)
class Start:
    """Undo a stop."""

    ref: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Close the connection and stay closed."""

    ref: str


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Open a new connection now; on a blocked or halted session a decision to try once more."""

    ref: str


@dataclass(frozen=True, slots=True)
class Heal:
    """Of recovery: the connection is open and does not work, so open another one."""

    ref: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class Logout:
    """Remove the device at WhatsApp and forget it."""

    ref: str


@dataclass(frozen=True, slots=True)
class PairingRequested:
    """Show a QR."""

    ref: str


@dataclass(frozen=True, slots=True)
class PairingCodeRequested:
    """Give out a pairing code for a phone."""

    ref: str
    phone: str = field(repr=False)
    """Digits only."""


@dataclass(frozen=True, slots=True)
class AuthTaken:
    """The auth state of a stopped session was read, or another one put in its place, under a generation of main's."""

    ref: str
    replaced: bool


Command = Start | Stop | Reconnect | Heal | Logout | PairingRequested | PairingCodeRequested | AuthTaken
Evidence = Rtt | HeartbeatMissed | Sent | Ack | Receipt | Received | Heard | Undecryptable | MessageCap
"""What says something about health and changes no state: it is folded into the sample."""
Event = (
    Resumed
    | LinkUp
    | LinkDown
    | ConnectorFaulty
    | Move
    | PauseChanged
    | ProxyChanged
    | Queued
    | Connecting
    | Qr
    | Paired
    | Opened
    | Closed
    | Evidence
    | Timelock
    | Superseded
    | OpenRefused
    | AuthReset
    | PlanArrived
    | TimerDue
    | Command
)
