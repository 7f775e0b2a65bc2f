"""The events of the connector protocol: a record each, read from frames and written to them.

``parse_session_event`` and ``parse_host_event`` return None for a name that this version does not know, so that a newer
connector may say more; a known event with a wrong field raises BadField.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from dataclasses import fields as fields_of
from enum import StrEnum
from typing import Any, ClassVar, Self

from actors.connectors.fields import Fields
from actors.connectors.protocol import Phase, read_phase
from actors.runtime.frames import Frame


class EventName(StrEnum):
    """Every event name; `receipt` and `undecryptable` exist on both kinds of link."""

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
    UNDECRYPTABLE = "undecryptable"
    TIMELOCK = "timelock"
    SUPERSEDED = "superseded"
    PHASE = "phase"
    SENT = "sent"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkEvent:
    """What every event says: whose it is, and when it was (milliseconds since 1970)."""

    name: ClassVar[EventName]
    session: str
    at: int

    def to_wire(self) -> Frame:
        """The frame of this event."""
        values: dict[str, Any] = {}
        for item in fields_of(self):
            value = getattr(self, item.name)
            values[_WIRE_NAMES.get(item.name, item.name)] = dict(value) if isinstance(value, Mapping) else value
        return {"ev": str(self.name), **values}

    @classmethod
    def read(cls, wire: Fields) -> Self:
        """Raises BadField."""
        return cls(session=wire.text("session"), at=wire.integer("at"), **cls._rest(wire))

    @classmethod
    def _rest(cls, wire: Fields) -> dict[str, Any]:  # noqa: ARG003 (an event without fields of its own)
        return {}


_WIRE_NAMES = {"expires_at": "expiresAt", "login_ms": "loginMs", "message_id": "messageId", "sender": "from"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued(LinkEvent):
    """The connection waits for admission."""

    name = EventName.QUEUED
    position: int
    """1 is the next."""

    @classmethod
    def _rest(cls, wire: Fields) -> dict[str, Any]:
        return {"position": wire.integer("position")}


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

    @classmethod
    def _rest(cls, wire: Fields) -> dict[str, Any]:
        return {"qr": wire.text("qr"), "expires_at": wire.integer("expiresAt")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired(LinkEvent):
    """The new credentials are committed."""

    name = EventName.PAIRED
    me: str

    @classmethod
    def _rest(cls, wire: Fields) -> dict[str, Any]:
        return {"me": wire.text("me")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(LinkEvent):
    """Logged in."""

    name = EventName.OPEN
    me: str | None
    version: str
    login_ms: float

    @classmethod
    def _rest(cls, wire: Fields) -> dict[str, Any]:
        return {"me": wire.text_or_none("me"), "version": wire.text("version", ""), "login_ms": wire.number("loginMs")}


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

    @classmethod
    def _rest(cls, wire: Fields) -> dict[str, Any]:
        return {
            "code": wire.integer("code"),
            "reason": wire.text("reason"),
            "message": wire.text("message", ""),
            "data": wire.texts("data"),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Rtt(LinkEvent):
    """A heartbeat was answered."""

    name = EventName.RTT
    ms: float

    @classmethod
    def _rest(cls, wire: Fields) -> dict[str, Any]:
        return {"ms": wire.number("ms")}


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

    @classmethod
    def _rest(cls, wire: Fields) -> dict[str, Any]:
        error = wire.integer_or_none("error")
        return {"message_id": wire.text("messageId"), "error": error, "ms": wire.number("ms")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt(LinkEvent):
    """The recipient's side has a sent message."""

    name = EventName.RECEIPT
    message_id: str
    type: str
    """delivered, read, played, …"""

    @classmethod
    def _rest(cls, wire: Fields) -> dict[str, Any]:
        return {"message_id": wire.text("messageId"), "type": wire.text("type")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Received(LinkEvent):
    """An inbound message was decrypted."""

    name = EventName.RECEIVED
    message_id: str

    @classmethod
    def _rest(cls, wire: Fields) -> dict[str, Any]:
        return {"message_id": wire.text("messageId")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecryptable(LinkEvent):
    """An inbound message could not be decrypted; ``sender`` is told on the host's link only."""

    name = EventName.UNDECRYPTABLE
    message_id: str
    sender: str | None = None

    @classmethod
    def _rest(cls, wire: Fields) -> dict[str, Any]:
        return {"message_id": wire.text("messageId"), "sender": wire.text_or_none("from")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timelock(LinkEvent):
    """The account is restricted, or is not any more."""

    name = EventName.TIMELOCK
    active: bool
    until: int | None
    """Milliseconds since 1970."""

    @classmethod
    def _rest(cls, wire: Fields) -> dict[str, Any]:
        return {"active": wire.boolean("active"), "until": wire.integer_or_none("until")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded(LinkEvent):
    """A higher generation took over; the link ends."""

    name = EventName.SUPERSEDED


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseChanged(LinkEvent):
    """A session's connection changed its phase (host's link)."""

    name = EventName.PHASE
    phase: Phase

    @classmethod
    def _rest(cls, wire: Fields) -> dict[str, Any]:
        return {"phase": read_phase(wire)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent(LinkEvent):
    """A message is on the wire (host's link)."""

    name = EventName.SENT
    message_id: str

    @classmethod
    def _rest(cls, wire: Fields) -> dict[str, Any]:
        return {"message_id": wire.text("messageId")}


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

    @classmethod
    def _rest(cls, wire: Fields) -> dict[str, Any]:
        return {
            "message_id": wire.text("messageId"),
            "sender": wire.text("from"),
            "timestamp": wire.integer("timestamp"),
            "text": wire.text_or_none("text"),
        }


SESSION_EVENTS: Mapping[str, type[LinkEvent]] = {
    kind.name: kind
    for kind in (
        *(Queued, Connecting, Qr, Paired, Opened, Closed, Rtt, HeartbeatMissed),
        *(Ack, Receipt, Received, Undecryptable, Timelock, Superseded),
    )
}
HOST_EVENTS: Mapping[str, type[LinkEvent]] = {
    kind.name: kind for kind in (PhaseChanged, Sent, Receipt, InboundMessage, Undecryptable)
}


def parse_session_event(frame: Frame) -> LinkEvent | None:
    """The event of a session's link; None for an unknown name.  Raises BadField."""
    return _parse(frame, SESSION_EVENTS)


def parse_host_event(frame: Frame) -> LinkEvent | None:
    """The event of a host's link; None for an unknown name.  Raises BadField."""
    return _parse(frame, HOST_EVENTS)


def _parse(frame: Frame, kinds: Mapping[str, type[LinkEvent]]) -> LinkEvent | None:
    wire = Fields(frame)
    kind = kinds.get(wire.text("ev"))
    return None if kind is None else kind.read(wire)
