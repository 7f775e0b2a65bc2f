"""What the HTTP API needs of the rest: a port of plain records; handlers know neither actors nor databases."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from actors.health.history.reading import Series
from daemon.audit.deeds import AuditTrail
from daemon.backup.manifest import Manifest
from daemon.metrics.shown import ShownMetrics
from daemon.recovery_port import Recovery

SendState = Literal["queued", "sent-unconfirmed", "acknowledged", "delivered", "read", "failed"]
Origin = Literal["file", "api"]


class BackendError(Exception):
    """A request could not be carried out.  ``reason`` is stable and machine-readable."""

    def __init__(self, reason: str, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.reason = reason
        """unknown_session, unknown_pause, unknown_episode, conflict, file_owned, not_pairing, not_open, refused,
        unavailable, storage_full, timeout, invalid, limit"""
        self.message = message
        self.detail = detail


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session as configured."""

    id: str
    connector: str
    labels: Mapping[str, str] = field(default_factory=dict)
    enabled: bool = True
    """False: stopped by the operator; it stays stopped over restarts."""
    origin: Origin = "file"
    source: str | None = None
    """file:line for origin file."""
    proxy: str | None = None
    """Name of the proxy in the configuration that it goes through."""


@dataclass(frozen=True, slots=True)
class SessionLive:
    """A session as it is now; times are seconds since 1970."""

    state: str = "starting"
    """starting, connecting, pairing, open, waiting, closing, stopped, blocked, halted, parked"""
    since: float = 0.0
    cause: str | None = None
    """Name of the cause of the last disconnect (actors.session.causes)."""
    code: int | None = None
    message: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    """Details of the cause; for a temporary ban ``until``; for waiting ``nextAttemptAt``."""
    remedy: str | None = None
    me: str | None = None
    """Own JID, masked."""
    generation: int = 0
    last_seen: float | None = None
    """Last proof from the server's side: open, answered heartbeat, acknowledgement, receipt, message."""
    reconnect_attempts: int = 0
    """Attempts in the current episode; 0 when open."""
    error_count: int = 0
    """Disconnects and failed sends within the last 24 h."""
    score: int | None = None
    quality: str | None = None
    """excellent, good, poor, critical"""
    status: str = "connecting"
    """connected, connecting, pairing, disconnected, blocked, error, stopped"""
    confidence: float | None = None
    """0 to 1: how much of the score is backed by fresh evidence."""
    capped: str | None = None
    """Why the score is less than the sum of its components."""
    components: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """name -> {points, max, evidenceAgeSeconds, why}"""
    checked_at: float | None = None
    """When the score was last computed."""
    liveness: str | None = None
    """alive, quiet, deaf, half_open, outbound_stuck; None while it is not open, or not judged yet"""
    liveness_detail: Mapping[str, Any] = field(default_factory=dict)
    """since, unusual, evidence; empty without a liveness"""
    canaries: Mapping[str, int] = field(default_factory=dict)
    """sent, arrived, missed, void: test messages to the session"""
    rhythm_since: float | None = None
    """When the learning of its rhythm began."""
    rtt_ms: Mapping[str, float] = field(default_factory=dict)
    """last, p50, p95"""
    rtt_trend: float | None = None
    """The median of the last minute in those of the 4 before; above 1 they rise."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """Messages that the server refused within the last hour, by error code."""
    disconnects_by: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Failures by cause, within 5m, 1h and 24h."""
    undecryptable_share: float | None = None
    """Of what arrived within the last hour; None if nothing did."""
    timelocked: bool = False
    """WhatsApp restricts whom the account may write to."""
    timelocked_until: float | None = None
    new_chats: Mapping[str, Any] | None = None
    """used, total, capped, until: how many new chats the account may begin, if WhatsApp told."""
    platform_quality: Mapping[str, Any] | None = None
    """rating, at: how the platform rates the number, if the connector can tell."""
    held: bool = False
    """It waits for the end of a pause of recovery."""
    versions: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    """sent, acknowledged, failed, received, undecryptable, heartbeats, heartbeatsMissed, disconnects"""
    sends: Mapping[str, int] = field(default_factory=dict)
    """Messages given to the API since the daemon started, by the names of daemon.sendcounts: waiting and outcomes."""


@dataclass(frozen=True, slots=True)
class Send:
    """One message to send."""

    session: str
    id: str
    """The caller's id, unique in the session."""
    to: str
    state: SendState
    created_at: float
    updated_at: float
    message_id: str | None = None
    """WhatsApp's id; the same over every retry."""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Pairing:
    """What a phone scans or types."""

    qr: str | None
    expires_at: float | None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Storage:
    """The state directory as it is now."""

    free_bytes: int
    writable: Mapping[str, bool]
    """Name of a database -> whether it takes writes; only those that have told."""
    problems: tuple[str, ...]
    """A sentence for each that does not."""


class AuthStates(Protocol):
    """Auth states as a whole: how they are sealed; export and import, of sessions that are stopped and on Baileys.

    These two raise BackendError ``unknown_session``; ``conflict`` if the session is not stopped or on another
    connector; ``unavailable``.
    """

    async def vault(self) -> Mapping[str, Any]:
        """``sealed``, and ``rotation``: None or ``started_at, sessions, left, damaged``.  ``unavailable``."""
        ...

    async def export(self, session: str) -> Mapping[str, bytes]:
        """All entries as the vault has them; ``conflict`` if there are none."""
        ...

    async def replace(self, session: str, entries: Mapping[str, bytes]) -> int:
        """Puts an auth state in place of what is there, all or nothing; returns how many entries that changed.

        ``invalid`` for one that can't be used; ``conflict`` if the session is paired as another device, if what is
        there is newer in any part, or if the session was started meanwhile; ``limit`` for what is too large at once.
        """
        ...


class Histories(Protocol):
    """The past of sessions."""

    async def read(self, session: str, since: float, until: float, step: int | None) -> Series:
        """Between two times, in seconds since 1970; ``step`` in seconds, 0 for what was observed, None: as fits.

        ``unknown_session``; ``invalid`` with the name of a ``parameter``; ``unavailable``.
        """
        ...


class Accounts(Protocol):
    """What is kept account of beside the sessions."""

    @property
    def trail(self) -> AuditTrail:
        """The audit log."""
        ...

    def totals(self) -> Mapping[tuple[str, str], int]:
        """All interventions ever: (``manual`` or ``automatic``, action) -> count."""
        ...

    async def interventions(self, since: float) -> Mapping[tuple[str, str], int]:
        """Those since the beginning of the hour of that time."""
        ...

    async def backup(self, directory: Path) -> Manifest:
        """Makes a backup in a new folder.  ``invalid``, ``storage_full``: nothing is left of it."""
        ...

    def storage(self) -> Storage:
        """Whether the databases take writes, without waiting for anything."""
        ...


class Backend(Protocol):
    """Implemented by the daemon over the gateway and the databases, and by an in-memory twin in the tests."""

    @property
    def accounts(self) -> Accounts:
        """Audit log, interventions, storage."""
        ...

    @property
    def recovery(self) -> Recovery:
        """Pauses."""
        ...

    @property
    def auth(self) -> AuthStates:
        """Export and import."""
        ...

    @property
    def history(self) -> Histories:
        """The past of sessions."""
        ...

    @property
    def shown(self) -> ShownMetrics:
        """How soon changes are shown, since the start."""
        ...

    def records(self) -> Mapping[str, SessionRecord]:
        """All sessions by id, in order."""
        ...

    def live(self, session: str) -> SessionLive:
        """The state of a session that is in ``records``."""
        ...

    def ready(self) -> tuple[bool, str]:
        """Whether the actor system is up, and if not, why."""
        ...

    async def add(self, record: SessionRecord, who: str) -> None: ...
    async def change(
        self,
        session: str,
        who: str,
        *,
        labels: Mapping[str, str] | None = None,
        enabled: bool | None = None,
        proxy: str | None = None,
    ) -> SessionRecord:
        """What is None stays as it is; an empty ``proxy`` is none."""
        ...

    async def remove(self, session: str, who: str, *, purge: bool) -> None: ...
    async def reconnect(self, session: str, who: str) -> str:
        """Forces a reconnection; returns an operation id."""
        ...

    async def start(self, session: str, who: str, *, accept_stale: bool = False) -> None:
        """``refused`` for one whose keys came out of a backup, unless that is accepted."""
        ...

    async def stop(self, session: str, who: str) -> None: ...
    async def logout(self, session: str, who: str) -> None: ...
    async def pairing(self, session: str, who: str, wait: float) -> Pairing:
        """Begins a pairing if need be and waits up to ``wait`` s for the QR.  ``conflict`` if it is paired already."""
        ...

    async def pairing_code(self, session: str, who: str, phone: str) -> Pairing: ...
    async def send(self, session: str, who: str, id: str | None, to: str, text: str, wait: float) -> tuple[Send, bool]:
        """Stores, then waits up to ``wait`` s for the acknowledgement.  The flag is False for an id known before.

        ``conflict``: same id, other content; ``refused``: the session is blocked, halted or stopped.
        """
        ...

    async def find_send(self, session: str, id: str) -> Send | None: ...
    async def tree(self) -> dict[str, Any]:
        """The supervision tree as ``daemon.api.models_supervision.Tree`` has it."""
        ...
