"""From the connector: what happens to the connection and on it, and its answers to requests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.connectors.rating import Rating


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
class PlatformQuality:
    """How the platform rates the account's number."""

    rating: Rating
    at: float
    """When it said so: seconds since 1970."""


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


Traffic = Rtt | HeartbeatMissed | Sent | Ack | Receipt | Received | Heard | Undecryptable
Evidence = Traffic | MessageCap | PlatformQuality
"""What says something about health and changes no state: it is folded into the sample."""
