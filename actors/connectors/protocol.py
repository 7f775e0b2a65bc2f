"""The connector protocol as Python values: names, error codes, records and how they are read.

`docs/connector-protocol.md` is the contract; this module says the same in types, for the connectors that are written in
Python and for the actors that use any connector.  Its events stand in `link_events`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from actors.connectors.fields import BadField, Fields
from actors.connectors.rating import Rated
from actors.runtime.limits import Limits

PROTOCOL = 1
"""Version of the connector and of the vault protocol."""
STORED = "stored"
"""The capability to acknowledge what arrives only when the host has stored it."""
ADMIT = "admit"
"""The capability to let the host say when each connection may begin."""
PROXY = "proxy"
"""The capability to open a connection through a proxy, and through nothing else."""
CAPABILITIES = ("qr", "pairing-code", "text")
"""What every connector can do."""
WINDOW = 256
"""Events that may be told and not yet be confirmed as stored, of one connector process."""
GRACE_SECONDS = 3.0
"""How long a connection waits for the next link of its session."""
EXIT_SECONDS = 1.0
"""How soon a connector process ends when its host is gone."""
HTTP_REASON = "http_"
"""Prefix of the reason of a connection that was refused with an HTTP status instead of an upgrade."""

FROM_CONNECTOR = 512 * 1024
"""Bytes of a frame that a connector sends on a link that was made to it; a text of 65,536 characters has 256 KiB."""
HOST_LIMITS = Limits(FROM_CONNECTOR, rate=5000.0, burst=20_000)
"""What a connector may send on the host's link."""
SESSION_LIMITS = Limits(FROM_CONNECTOR, rate=1000.0, burst=10_000)
"""What a connector may send on a session's link."""


class ErrorCode(StrEnum):
    """What an error answer says."""

    BAD_REQUEST = "bad_request"
    UNKNOWN_COMMAND = "unknown_command"
    UNKNOWN_SESSION = "unknown_session"
    UNSUPPORTED_PROTOCOL = "unsupported_protocol"
    FENCED = "fenced"
    VAULT_UNAVAILABLE = "vault_unavailable"
    NOT_OPEN = "not_open"
    NOT_PAIRING = "not_pairing"
    NOT_PAIRED = "not_paired"
    BUSY = "busy"
    NACK = "nack"
    ACK_TIMEOUT = "ack_timeout"
    CLOSED = "closed"
    INVALID_RECIPIENT = "invalid_recipient"
    LIMIT = "limit"
    RESTRICTED = "restricted"
    LATE = "late"
    NOT_QUEUED = "not_queued"
    INTERNAL = "internal"


class Phase(StrEnum):
    """Where a connection stands."""

    IDLE = "idle"
    QUEUED = "queued"
    CONNECTING = "connecting"
    PAIRING = "pairing"
    OPEN = "open"


class Reason(StrEnum):
    """Why a connection closed; beside these there is ``http_STATUS``."""

    CLOSED_BY_US = "closed_by_us"
    INTENTIONAL_LOGOUT = "intentional_logout"
    OPEN_DEADLINE = "open_deadline"
    HEARTBEAT = "heartbeat"
    BAD_FRAME = "bad_frame"
    VAULT_UNAVAILABLE = "vault_unavailable"
    AUTH_TOO_LARGE = "auth_too_large"
    FENCED = "fenced"
    PAIRING_EXPIRED = "pairing_expired"
    LOGIN_FAILURE = "login_failure"
    STREAM_ERROR = "stream_error"
    NETWORK = "network"
    PROXY = "proxy"
    BACKLOG = "backlog"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Admission:
    """Bounds for ``open``, per connector process."""

    connects_per_second: float = 5.0
    burst: int = 1
    pairings: int = 2
    """Pairings at a time that are between their admission and their first QR, which is what costs."""
    by_host: bool = False
    """The host says when each connection may begin; a connector that can't wait for that keeps the other bounds."""

    def to_wire(self) -> dict[str, Any]:
        """As it stands in the start line and in the command ``admission``."""
        bounds = {"connectsPerSecond": self.connects_per_second, "burst": self.burst, "pairings": self.pairings}
        return {**bounds, "byHost": self.by_host}

    @classmethod
    def read(cls, fields: Fields) -> "Admission":
        """Raises BadField."""
        return cls(
            fields.number("connectsPerSecond", least=0),
            fields.integer("burst", least=1),
            fields.integer("pairings", least=0),
            fields.boolean("byHost", False),
        )


@dataclass(frozen=True, slots=True)
class StartLine:
    """The line that the host writes to the standard input of a connector process."""

    connector: str
    socket: str
    vault: str
    host: str
    options: Mapping[str, Any]
    admission: Admission
    protocol: int = PROTOCOL

    def to_wire(self) -> dict[str, Any]:
        """What JSON is made of."""
        return asdict(self) | {"admission": self.admission.to_wire()}

    @classmethod
    def read(cls, values: Any) -> "StartLine":
        """Raises BadField."""
        fields = Fields(values)
        fields.inner("options")
        return cls(
            fields.text("connector"),
            fields.text("socket"),
            fields.text("vault"),
            fields.text("host"),
            dict(fields.get("options") or {}),
            Admission.read(fields.inner("admission")),
            fields.integer("protocol"),
        )


@dataclass(frozen=True, slots=True)
class ReadyLine:
    """The line that a connector process prints when it listens."""

    connector: str
    version: str
    pid: int
    protocol: int = PROTOCOL

    def to_wire(self) -> dict[str, Any]:
        """What JSON is made of."""
        return {"ready": True, **asdict(self)}

    @classmethod
    def read(cls, values: Any) -> "ReadyLine":
        """Raises BadField, also for a line that does not say ready."""
        fields = Fields(values)
        if not fields.boolean("ready", False):
            raise BadField("ready", "expected true")
        return cls(
            fields.text("connector"),
            fields.text("version"),
            fields.integer("pid"),
            fields.integer("protocol"),
        )


@dataclass(frozen=True, slots=True)
class State:
    """A session's connection as of now; times are milliseconds since 1970."""

    phase: Phase = Phase.IDLE
    paired: bool = False
    me: str | None = None
    opened_at: int | None = None
    qr: str | None = None
    qr_expires_at: int | None = None
    proxy: str | None = None
    """Id of the proxy that the connection was opened through; None: none, or there is no connection."""
    quality: Rated | None = None

    def to_wire(self) -> dict[str, Any]:
        """The map of the protocol."""
        return {
            "phase": str(self.phase),
            "paired": self.paired,
            "me": self.me,
            "openedAt": self.opened_at,
            "qr": self.qr,
            "qrExpiresAt": self.qr_expires_at,
            "proxy": self.proxy,
            "quality": None if self.quality is None else self.quality.to_wire(),
        }

    @classmethod
    def read(cls, values: Any) -> "State":
        """Raises BadField."""
        fields = Fields(values, "state")
        return cls(
            read_phase(fields),
            fields.boolean("paired"),
            fields.text_or_none("me"),
            fields.milliseconds_or_none("openedAt"),
            fields.text_or_none("qr"),
            fields.milliseconds_or_none("qrExpiresAt"),
            fields.text_or_none("proxy"),
            Rated.read(fields.inner("quality")) if "quality" in fields else None,
        )


def read_phase(fields: Fields) -> Phase:
    """The phase in ``phase``.  Raises BadField for a name that is not one."""
    name = fields.text("phase")
    try:
        return Phase(name)
    except ValueError:
        raise BadField(fields.path("phase"), f"not a phase: {name!r}") from None


@dataclass(frozen=True, slots=True)
class Hello:
    """The answer to ``hello``; ``adopted`` and ``state`` only on a session's link."""

    connector: str
    version: str
    pid: int
    capabilities: tuple[str, ...]
    adopted: bool = False
    state: State | None = None

    @classmethod
    def read(cls, values: Any) -> "Hello":
        """Raises BadField, also for another protocol version."""
        fields = Fields(values)
        if fields.integer("protocol") != PROTOCOL:
            raise BadField("protocol", f"expected {PROTOCOL}, got {fields.get('protocol')}")
        names = fields.get("capabilities")
        return cls(
            fields.text("connector"),
            fields.text("version"),
            fields.integer("pid"),
            tuple(str(name) for name in names) if isinstance(names, list) else (),
            fields.boolean("adopted", False),
            State.read(fields.get("state")) if "state" in fields else None,
        )


@dataclass(frozen=True, slots=True)
class Stats:
    """The answer to ``stats``."""

    rss_bytes: int
    cpu_ms: float
    sessions: int
    lag_ms: float
    """Worst event-loop delay since the last call."""
    counts: Mapping[str, int] = field(default_factory=dict)

    def to_wire(self) -> dict[str, Any]:
        """The map of the protocol."""
        return {
            "rssBytes": self.rss_bytes,
            "cpuMs": self.cpu_ms,
            "sessions": self.sessions,
            "lagMs": self.lag_ms,
            "counts": dict(self.counts),
        }

    @classmethod
    def read(cls, values: Any) -> "Stats":
        """Raises BadField."""
        fields = Fields(values)
        counts = fields.inner("counts")
        return cls(
            fields.integer("rssBytes", least=0),
            fields.number("cpuMs", least=0),
            fields.integer("sessions", least=0),
            fields.number("lagMs", least=0),
            {name: counts.integer(name) for name in fields.get("counts") or {}},
        )
