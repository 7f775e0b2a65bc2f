"""The troubles that the simulated server can make, by name, and how they are read.

Codes, reasons and data are those which the real client reports for the same trouble.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from actors.connectors.fields import BadField, Fields
from actors.connectors.protocol import HTTP_REASON, Reason
from actors.connectors.rating import Rating, read_rating

CUT_CODE = 428
"""What the client reports when an open connection ends without a word from the server."""
RESTRICTED = 463
"""Number of the nack that says: the account is restricted."""


class Mode(StrEnum):
    """How the server can treat a connection other than well."""

    DEAF = "deaf"
    """Nothing inbound: no messages, no receipts; heartbeats and acknowledgements are as ever."""
    HALF_OPEN = "half_open"
    """Nothing comes back at all."""
    SLOW = "slow"
    """Each answer takes longer by ``value`` milliseconds."""
    NACK = "nack"
    """Messages are refused with the error number ``value``."""
    TIMELOCK = "timelock"
    """The account is restricted: it is told so, and messages are refused."""
    OUTBOUND_STUCK = "outbound_stuck"
    """Messages leave and are never acknowledged nor delivered; all else is as ever."""
    STALL = "stall"
    """A login is never answered."""


@dataclass(frozen=True, slots=True)
class Close:
    """What a closed connection reports."""

    code: int
    reason: str
    message: str
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Logins are answered with ``close``."""

    close: Close
    seconds: float | None
    """How long; None: until it is cleared."""
    device: bool = False
    """It concerns the paired device only: a new pairing ends it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What one fault does; each part may be absent."""

    name: str
    cut: Close | None = None
    """Ends the connection that is there."""
    refusal: Refusal | None = None
    mode: Mode | None = None
    seconds: float | None = None
    """How long the mode lasts; None: until it is cleared or the connection ends."""
    value: float = 0.0
    undecryptable: int = 0
    """How many inbound messages that can't be decrypted arrive at once."""
    rating: Rating | None = None
    """How the platform rates the number from now on."""


def read_fault(wire: Fields, other_keys: Iterable[str] = ()) -> Fault:
    """The fault in a map: its name in ``fault``, its parameters beside it.  Raises BadField naming the key."""
    name = wire.text("fault")
    known = _FAULTS.get(name)
    if known is None:
        raise BadField(wire.path("fault"), f"expected one of {', '.join(sorted(_FAULTS))}, got {name!r}")
    parameters, read = known
    wire.only({"fault", *parameters, *other_keys})
    return read(name, wire)


def _lasting(wire: Fields, default: float | None) -> float | None:
    """``for_s``: seconds; an explicit null means until it is cleared."""
    return wire.number_or_none("for_s", least=0) if wire.has("for_s") else default


def _refusal(close: Close, seconds: float | None, device: bool = False) -> Refusal | None:
    return None if seconds == 0 else Refusal(close, seconds, device)


def _cut(close: Close) -> "_Reader":
    return lambda name, _: Fault(name, close)


def _stream(code: int, message: str) -> "_Reader":
    """A stream error; with ``for_s`` also the same code at login."""

    def read(name: str, wire: Fields) -> Fault:
        refused = Close(code, Reason.LOGIN_FAILURE, "Connection Failure")
        return Fault(name, Close(code, Reason.STREAM_ERROR, message), _refusal(refused, _lasting(wire, 0)))

    return read


def _failure(code: int) -> "_Reader":
    """A login failure that stays until it is cleared."""

    def read(name: str, wire: Fields) -> Fault:
        close = Close(code, Reason.LOGIN_FAILURE, "Connection Failure")
        return Fault(name, close, _refusal(close, _lasting(wire, None)))

    return read


def _network(name: str, wire: Fields) -> Fault:
    errno = wire.text("errno", "ECONNREFUSED")
    refused = Close(408, Reason.NETWORK, f"connect {errno}", {"errno": errno})
    return Fault(name, _LOST, _refusal(refused, _lasting(wire, 30.0)))


def _http(name: str, wire: Fields) -> Fault:
    status = wire.integer("status", 429, least=400)
    refused = Close(status, f"{HTTP_REASON}{status}", f"the upgrade was answered with {status}")
    return Fault(name, _LOST, _refusal(refused, _lasting(wire, 60.0)))


def _logged_out(name: str, wire: Fields) -> Fault:
    data = {"code": "401", "conflict": "device_removed"}
    cut = Close(401, Reason.STREAM_ERROR, "Stream Errored (conflict)", data)
    refused = Close(401, Reason.LOGIN_FAILURE, "Connection Failure")
    return Fault(name, cut, _refusal(refused, _lasting(wire, None), device=True))


def _temporary_ban(name: str, wire: Fields) -> Fault:
    seconds = wire.integer("expire_s", 86400, least=1)
    data = {"code": wire.text("ban_code", "101"), "expire": str(seconds)}
    close = Close(402, Reason.LOGIN_FAILURE, "Connection Failure", data)
    return Fault(name, close, Refusal(close, float(seconds)))


def _close(name: str, wire: Fields) -> Fault:
    close = Close(wire.integer("code", least=0), wire.text("reason"), wire.text("message", ""), wire.texts("data"))
    return Fault(name, close, _refusal(close, _lasting(wire, 0)))


def _mode(mode: Mode, key: str | None = None, default: float = 0.0) -> "_Reader":
    def read(name: str, wire: Fields) -> Fault:
        value = wire.number(key, default, least=0) if key else default
        return Fault(name, mode=mode, seconds=_lasting(wire, None), value=value)

    return read


def _undecryptable(name: str, wire: Fields) -> Fault:
    return Fault(name, undecryptable=wire.integer("count", 1, least=1))


def _quality(name: str, wire: Fields) -> Fault:
    return Fault(name, rating=read_rating(wire, "rating"))


_Reader = Callable[[str, Fields], Fault]
_LOST = Close(CUT_CODE, Reason.NETWORK, "Connection Closed", {"errno": "ECONNRESET"})
_FOR = ("for_s",)
_FAULTS: dict[str, tuple[tuple[str, ...], _Reader]] = {
    "drop": ((), _cut(Close(CUT_CODE, Reason.NETWORK, "Connection Terminated"))),
    "restart_required": ((), _cut(Close(515, Reason.STREAM_ERROR, "Stream Errored (restart required)"))),
    "replaced": (
        (),
        _cut(Close(440, Reason.STREAM_ERROR, "Stream Errored (conflict)", {"conflict": "replaced"})),
    ),
    "unavailable": (_FOR, _stream(503, "Stream Errored (unknown)")),
    "bad_session": (_FOR, _stream(500, "Stream Errored (unknown)")),
    "network": (("for_s", "errno"), _network),
    "rate_limited_http": (("for_s", "status"), _http),
    "logged_out": (_FOR, _logged_out),
    "forbidden": (_FOR, _failure(403)),
    "client_outdated": (_FOR, _failure(405)),
    "banned": (_FOR, _failure(406)),
    "temporary_ban": (("expire_s", "ban_code"), _temporary_ban),
    "deaf": (_FOR, _mode(Mode.DEAF)),
    "half_open": (_FOR, _mode(Mode.HALF_OPEN)),
    "outbound_stuck": (_FOR, _mode(Mode.OUTBOUND_STUCK)),
    "slow": (("for_s", "added_ms"), _mode(Mode.SLOW, "added_ms", 2000.0)),
    "nack": (("for_s", "error"), _mode(Mode.NACK, "error", RESTRICTED)),
    "timelock": (_FOR, _mode(Mode.TIMELOCK, None, RESTRICTED)),
    "stall": (_FOR, _mode(Mode.STALL)),
    "undecryptable": (("count",), _undecryptable),
    "quality": (("rating",), _quality),
    "close": (("code", "reason", "message", "data", "for_s"), _close),
}
FAULT_NAMES = tuple(_FAULTS)
