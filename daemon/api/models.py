"""What the API answers.  JSON keys are camelCase.

Answers may gain keys in later versions; clients ignore what they don't know.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from daemon.api.fields import Time

Status = Literal["connected", "connecting", "pairing", "disconnected", "blocked", "error", "stopped"]
State = Literal[
    "starting",
    "connecting",
    "pairing",
    "open",
    "waiting",
    "closing",
    "stopped",
    "blocked",
    "halted",
    "parked",
]
Quality = Literal["excellent", "good", "poor", "critical"]
SendState = Literal["queued", "sent-unconfirmed", "acknowledged", "delivered", "read", "failed"]


class Response(BaseModel):
    """Base of answers: built by field name, written by alias, every key always present."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        frozen=True,
        json_schema_serialization_defaults_required=True,
        use_attribute_docstrings=True,
    )


class Session(Response):
    """A session as configured, with its status in short."""

    id: str
    connector: str
    labels: dict[str, str]
    enabled: bool
    proxy: str | None
    """Name of the proxy that it goes through."""
    origin: Literal["file", "api"]
    source: str | None
    """File and line, if the configuration file owns it."""
    status: Status
    state: State


class SessionPage(Response):
    """A page of sessions."""

    sessions: list[Session]
    next_cursor: str | None
    total: int


class Operation(Response):
    """Something that was begun."""

    operation_id: str
    session_id: str


class PairingState(Response):
    """What a phone scans or types."""

    qr: str | None
    """The content of the QR code to draw."""
    code: str | None
    """The pairing code to type into the phone, if one was asked for."""
    expires_at: Time | None


class PairingCode(Response):
    """What to type into the phone."""

    code: str
    expires_at: Time | None


class Message(Response):
    """A text on its way."""

    id: str
    session_id: str
    to: str
    """The recipient's JID."""
    state: SendState
    message_id: str | None
    """WhatsApp's id; the same over every retry."""
    error: str | None
    created_at: Time
    updated_at: Time


class AuditEntry(Response):
    """Who changed, or was shown, what."""

    number: int
    """Counts the entries."""
    at: Time
    who: str
    """Name of the token; `wavigil` is the daemon itself."""
    role: str | None
    remote: str | None
    """Address of the peer; behind a proxy the proxy's."""
    action: str
    target: str
    """A session; `-` for what concerns no single one, `?` for one that did not exist."""
    outcome: str
    """`done`; `begun`: under way, or the daemon was killed meanwhile; else the last part of the problem's type."""
    detail: dict[str, Any]


class AuditPage(Response):
    """Entries of the audit log, newest first."""

    entries: list[AuditEntry]
    next_cursor: str | None
    """For older ones; null when there are none."""


class Interventions(Response):
    """What operators did to heal something, against what healed by itself."""

    since: Time
    manual: dict[str, int]
    """Action -> count: reconnect, start, stop, logout, force, pair, restart_daemon."""
    automatic: dict[str, int]
    """Action -> count: reconnect, restart_ and the kind of the process."""
    manual_total: int
    automatic_total: int
    automatic_share: float | None
    """Automatic ones among all, 0 to 1; null if there was none."""


class Alive(Response):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(Response):
    """The actor system is up."""

    ready: Literal[True] = True


class ChangedSession(Response):
    """A session that the file describes otherwise than before."""

    session_id: str
    fields: list[str]
    """Which of its keys changed."""


class Reloaded(Response):
    """What a reload changed, or would change."""

    dry_run: bool
    """Nothing was changed."""
    source: str | None
    """The file; null for the defaults alone."""
    hash: str
    """SHA-256 of its text."""
    added: list[str]
    removed: list[str]
    """Sessions that the file names no more; their auth states are kept."""
    changed: list[ChangedSession]
    unchanged: int
    """Number of the file's sessions that are as before."""
    taken_over: list[str]
    """Sessions of the API that the file owns now."""
    given_back: list[str]
    """Sessions that the file names no more and that were the API's before it did: they are again."""
    settings: list[str]
    """Other settings that changed and are in effect."""
    restart_needed: list[str]
    """Settings that take effect at the next start of the daemon."""


class ProblemField(Response):
    """A wrong value."""

    detail: str
    pointer: str | None
    """Where in the body: a JSON pointer as URI fragment."""
    parameter: str | None
    """Which query parameter."""


class Problem(Response):
    """Why a request failed (RFC 9457)."""

    type: str
    """A relative URI that names the kind of problem."""
    title: str
    status: int
    detail: str
    instance: str
    """The path of the request."""
    remedy: str
    """What can be done about it."""
    request_id: str
    """As in the X-Request-Id header and in the daemon's log."""
    errors: list[ProblemField]
    context: dict[str, Any]
    """Machine-readable details of this kind of problem."""
