"""What the API answers.  JSON keys are camelCase.

Answers may gain keys in later versions; clients ignore what they don't know.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
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


class ScoreComponent(Response):
    """A part of a health score."""

    points: float
    max: float
    evidence_age_seconds: float | None
    why: str


class Cause(Response):
    """Why the last connection ended."""

    name: str
    code: int | None
    message: str | None
    remedy: str | None
    """What an operator can do; null if nothing needs to be done."""
    at: Time | None
    detail: dict[str, Any]


class NewChats(Response):
    """How many new chats WhatsApp lets an account begin; null: not told."""

    used: int | None
    total: int | None
    capped: bool
    """It may begin no more until then; messages to new chats fail with `restricted`."""
    until: Time | None


class Liveness(Response):
    """How an open connection is, seen from the evidence in both directions."""

    state: Literal["alive", "quiet", "deaf", "half_open", "outbound_stuck"]
    """The last three are faults; a quiet session is well."""
    since: Time
    """When it is believed to have begun."""
    unusual: bool
    """Nothing has arrived for longer than is usual at this hour."""
    evidence: dict[str, float | None]
    """Ages of proofs in seconds, the probability of the silence by the session's rhythm, missed test messages."""


class RecoveryPaused(Response):
    """Recovery of a session is paused."""

    until: Time | None
    """When the last of its pauses ends by itself; null: when it is ended."""
    reason: str
    """Of the pause that was made last and has one."""
    pauses: list[int]
    """Their ids."""
    waits: bool
    """It waits for the end; else its connection is not touched."""


class StatusMetadata(Response):
    """What stands behind a status."""

    components: dict[str, ScoreComponent]
    """The parts of the score; the sum of their points is the score, unless it is capped."""
    capped: str | None
    """Why the score is less than that sum."""
    confidence: Annotated[float, Field(ge=0, le=1)] | None
    """How much of the score is backed by fresh evidence; null without a score."""
    cause: Cause | None
    liveness: Liveness | None
    """null while the session is not open, or was not judged yet."""
    round_trip_ms: dict[str, float]
    """last, p50, p95, as far as known."""
    round_trip_trend: float | None
    """The median of the last minute, in those of the 4 minutes before: above 1 they rise; null with too few."""
    refused: dict[str, int]
    """Messages that the server refused within the last hour, by error code; 463 is a restriction of the account."""
    disconnects: dict[str, dict[str, int]]
    """Connections that ended by a failure, by cause, within `5m`, `1h` and `24h`; windows without any are left out."""
    versions: dict[str, str]
    generation: int
    """Grows with each new owner of the session's auth state."""
    counts: dict[str, int]
    undecryptable_share: float | None
    """Which share of the messages of the last hour could not be decrypted, 0 to 1; null if none arrived."""
    timelocked: bool
    """WhatsApp restricts whom the account may write to; messages to new chats fail with `restricted`."""
    timelocked_until: Time | None
    new_chats: NewChats | None
    since: Time
    """Since when it is in this state."""
    next_attempt_at: Time | None
    """While it waits: when it tries next; null until the session told, up to 15 s later."""
    until: Time | None
    """When a temporary ban ends."""
    me: str | None
    """The account's own JID, masked."""
    recovery_paused: RecoveryPaused | None
    """While recovery of the session is paused."""


class SessionStatus(Response):
    """How a session is."""

    session_id: str
    connector: str
    origin: Literal["file", "api"]
    labels: dict[str, str]
    proxy: str | None
    """Name of the proxy that it goes through."""
    status: Status
    state: State
    health_score: Annotated[int, Field(ge=0, le=100)] | None
    """0 to 100; null before the first evaluation."""
    connection_quality: Quality | None
    last_status_check: Time | None
    last_seen: Time | None
    """Last proof of life from the server's side."""
    is_blocked: bool
    error_count: int
    """Disconnects and failed sends in the last 24 hours."""
    reconnect_attempts: int
    """In the episode under way; 0 when open."""
    status_metadata: StatusMetadata


class SessionStatusPage(Response):
    """A page of statuses."""

    sessions: list[SessionStatus]
    next_cursor: str | None
    """For the next page; null on the last."""
    total: int
    """Sessions that match, on all pages."""


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
