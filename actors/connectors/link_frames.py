"""The events of the connector protocol in frames: written, and read.

``parse_session_event`` and ``parse_host_event`` return None for a name that this version does not know, so that a newer
connector may say more; a known event with a wrong field raises BadField.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

from actors.connectors.fields import Fields
from actors.connectors.link_events import (
    Ack,
    Closed,
    Connecting,
    Heard,
    HeartbeatMissed,
    InboundMessage,
    LinkEvent,
    MessageCap,
    Opened,
    Paired,
    PhaseChanged,
    Qr,
    Quality,
    Queued,
    Reached,
    Receipt,
    Received,
    Rtt,
    Sent,
    Superseded,
    Timelock,
    Undecryptable,
    Wanted,
)
from actors.connectors.protocol import Phase, read_phase
from actors.connectors.rating import Rating, read_rating
from actors.runtime.frames import Frame

SESSION_EVENTS: Mapping[str, type[LinkEvent]] = {
    kind.name: kind
    for kind in (
        *(Queued, Connecting, Qr, Paired, Opened, Closed, Rtt, HeartbeatMissed),
        *(Sent, Ack, Receipt, Received, Heard, Undecryptable, Timelock, MessageCap, Quality, Superseded),
    )
}
HOST_EVENTS: Mapping[str, type[LinkEvent]] = {
    kind.name: kind for kind in (PhaseChanged, Reached, Sent, Receipt, InboundMessage, Undecryptable, Wanted)
}

_READERS: Mapping[Any, Callable[[Fields, str], Any]] = {
    int: lambda wire, key: wire.integer(key),
    float: lambda wire, key: wire.number(key),
    bool: lambda wire, key: wire.boolean(key),
    bool | None: lambda wire, key: wire.boolean(key) if key in wire else None,
    str: lambda wire, key: wire.text(key),
    int | None: lambda wire, key: wire.integer_or_none(key),
    str | None: lambda wire, key: wire.text_or_none(key),
    Mapping[str, str]: lambda wire, key: wire.texts(key),
    Phase: lambda wire, _: read_phase(wire),
    Rating: read_rating,
}
_TIME_READERS: Mapping[Any, Callable[[Fields, str], Any]] = {
    int: lambda wire, key: wire.milliseconds(key),
    int | None: lambda wire, key: wire.milliseconds_or_none(key),
}
_TIMES = frozenset({"at", "expires_at", "until", "timestamp"})
"""Attributes that are times, in milliseconds since 1970."""
_WIRE_NAMES = {"expires_at": "expiresAt", "login_ms": "loginMs", "message_id": "messageId", "sender": "from"}


_Layout = tuple[tuple[str, str, Callable[[Fields, str], Any], bool], ...]
"""Attribute, key on the wire, reader, and whether it may be missing, of each field of an event."""


def _layout(kind: type[LinkEvent]) -> _Layout:
    hints = get_type_hints(kind)
    return tuple(
        (
            item.name,
            _WIRE_NAMES.get(item.name, item.name),
            (_TIME_READERS if item.name in _TIMES else _READERS)[hints[item.name]],
            item.default is not MISSING or item.default_factory is not MISSING,
        )
        for item in fields(kind)
    )


_LAYOUTS: Mapping[type[LinkEvent], _Layout] = {
    kind: _layout(kind) for kind in (*SESSION_EVENTS.values(), *HOST_EVENTS.values())
}


def to_frame(event: LinkEvent) -> Frame:
    """The frame of an event; what may be missing and is None is left out."""
    values = {
        key: value
        for attribute, key, _, optional in _LAYOUTS[type(event)]
        if (value := getattr(event, attribute)) is not None or not optional
    }
    return {"ev": str(event.name), **values}


def parse_session_event(frame: Frame) -> LinkEvent | None:
    """The event of a session's link; None for an unknown name.  Raises BadField."""
    return _parse(frame, SESSION_EVENTS)


def parse_host_event(frame: Frame) -> LinkEvent | None:
    """The event of a host's link; None for an unknown name.  Raises BadField."""
    return _parse(frame, HOST_EVENTS)


def _parse(frame: Frame, kinds: Mapping[str, type[LinkEvent]]) -> LinkEvent | None:
    wire = Fields(frame)
    kind = kinds.get(wire.text("ev"))
    return None if kind is None else _read(kind, wire)


def _read(kind: type[LinkEvent], wire: Fields) -> LinkEvent:
    """What has a default may be missing in a frame."""
    return kind(
        **{
            attribute: read(wire, key)
            for attribute, key, read, optional in _LAYOUTS[kind]
            if not optional or key in wire
        }
    )
