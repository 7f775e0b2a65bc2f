"""The events of the connector protocol, a record each; how they look in frames is said in `link_frames`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from actors.connectors.protocol import Phase
from actors.connectors.rating import Rating


class EventName(StrEnum):
    """Every event name; `receipt`, `undecryptable` and `sent` exist on both kinds of link."""

    QUEUED = "queued"
    CONNECTING = "connecting"
    QR = "qr"
    PAIRED = "paired"
    OPEN = "open"
    CLOSED = "closed"
    RTT = "rtt"
    HEARTBEAT_MISSED = "heartbeat_missed"
    ACK = "ack"
    RECEIPT = "receipt"
    RECEIVED = "received"
    HEARD = "heard"
    UNDECRYPTABLE = "undecryptable"
    TIMELOCK = "timelock"
    MESSAGE_CAP = "message_cap"
    QUALITY = "quality"
    SUPERSEDED = "superseded"
    PHASE = "phase"
    REACHED = "reached"
    SENT = "sent"
    MESSAGE = "message"
    WANTED = "wanted"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkEvent:
    """What every event says: whose it is, and when it was (milliseconds since 1970)."""

    name: ClassVar[EventName]
    session: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued(LinkEvent):
    """The connection waits for admission."""

    name = EventName.QUEUED
    position: int
    """1 is the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connecting(LinkEvent):
    """The connection attempt begins."""

    name = EventName.CONNECTING


@dataclass(frozen=True, slots=True, kw_only=True)
class Qr(LinkEvent):
    """A QR to be shown, until the next one replaces it."""

    name = EventName.QR
    qr: str
    expires_at: int
    """Milliseconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired(LinkEvent):
    """The new credentials are committed."""

    name = EventName.PAIRED
    me: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(LinkEvent):
    """Logged in."""

    name = EventName.OPEN
    me: str | None
    version: str = ""
    login_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed(LinkEvent):
    """The connection ended; exactly once an ``open`` command."""

    name = EventName.CLOSED
    code: int
    """As in the table of causes; 0 if there is none."""
    reason: str
    """A `protocol.Reason` or ``http_STATUS``."""
    message: str = ""
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rtt(LinkEvent):
    """A heartbeat was answered."""

    name = EventName.RTT
    ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatMissed(LinkEvent):
    """A heartbeat was not answered in time."""

    name = EventName.HEARTBEAT_MISSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack(LinkEvent):
    """The server answered a sent message."""

    name = EventName.ACK
    message_id: str
    error: int | None
    """None: accepted; else the number of the nack, for example 463."""
    ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt(LinkEvent):
    """The recipient's side has a sent message."""

    name = EventName.RECEIPT
    message_id: str
    type: str
    """delivered, read, played, …"""
    n: int | None = None
    """Number of what the host confirms; on its link only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received(LinkEvent):
    """An inbound message was decrypted."""

    name = EventName.RECEIVED
    message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard(LinkEvent):
    """The server's delivery path brought something that no other event tells of."""

    name = EventName.HEARD


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecryptable(LinkEvent):
    """An inbound message could not be decrypted; ``sender`` is told on the host's link only."""

    name = EventName.UNDECRYPTABLE
    message_id: str
    sender: str | None = None
    n: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timelock(LinkEvent):
    """The account is restricted, or is not any more."""

    name = EventName.TIMELOCK
    active: bool
    until: int | None
    """Milliseconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCap(LinkEvent):
    """How many new chats the account may begin."""

    name = EventName.MESSAGE_CAP
    used: int | None
    total: int | None
    capped: bool
    """It may begin no more until then."""
    until: int | None
    """Milliseconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality(LinkEvent):
    """The platform rates the account's number; ``at`` is when it said so."""

    name = EventName.QUALITY
    rating: Rating


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded(LinkEvent):
    """A higher generation took over; the link ends."""

    name = EventName.SUPERSEDED


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseChanged(LinkEvent):
    """A session's connection changed its phase (host's link)."""

    name = EventName.PHASE
    phase: Phase
    pairing: bool | None = None
    """Queued: whether it will do the work of a pairing, once it is let in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached(LinkEvent):
    """The server has answered a connection that the host let in (host's link)."""

    name = EventName.REACHED
    clock: int
    """When the answer came, or later: milliseconds of CLOCK_MONOTONIC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent(LinkEvent):
    """A message is on the wire."""

    name = EventName.SENT
    message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMessage(LinkEvent):
    """An inbound message (host's link)."""

    name = EventName.MESSAGE
    message_id: str
    sender: str
    """JID."""
    timestamp: int
    """When it was sent: milliseconds since 1970."""
    text: str | None
    """None for what is not text."""
    participant: str | None = None
    """JID of who wrote, if ``sender`` is a group."""
    n: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted(LinkEvent):
    """Somebody who could not read a message asks for it again, and the connector does not have it (host's link)."""

    name = EventName.WANTED
    message_id: str


Kept = Receipt | InboundMessage | Undecryptable
"""What the host stores and confirms: the server forgets it as soon as it is acknowledged."""
