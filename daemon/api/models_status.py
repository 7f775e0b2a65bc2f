"""What the API answers about how sessions are.  JSON keys are camelCase."""

from typing import Annotated, Any, Literal

from pydantic import Field

from daemon.api.fields import Time
from daemon.api.models import Quality, Response, State, Status


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


class PlatformQuality(Response):
    """How the platform rates the number."""

    rating: Literal["high", "medium", "low", "unknown"]
    """unknown: it has not made up its mind."""
    at: Time
    """When it said so."""


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
    platform_quality: PlatformQuality | None
    """null where the connector can't tell, or has not told yet."""
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
