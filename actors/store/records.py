"""What the databases hold, as plain immutable values.  Times are seconds since 1970."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.events import EventType


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be appended to an outbox."""

    at: float
    type: EventType
    session: str | None
    data: Mapping[str, Any] = field(default_factory=dict)
    """JSON values only."""


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """An event as a consumer reads it."""

    seq: int
    """Counts from 1 without gaps within one outbox; what is missing at its beginning was pruned."""
    at: float
    type: str
    """A name of EventType; a string, so that an unknown name never stops a consumer."""
    session: str | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session made over the API."""

    id: str
    connector: str
    labels: Mapping[str, str]
    created_at: float
    proxy: str | None = None
    """Name of the proxy that it goes through."""


RESTORED = "wavigil restore"
"""Who stopped a session whose keys came out of a backup; no token has this name."""


@dataclass(frozen=True, slots=True)
class Desired:
    """What the operator last asked for: stopped (False) or running."""

    session: str
    enabled: bool
    changed_at: float
    who: str


@dataclass(frozen=True, slots=True)
class StoredSend:
    """A text to send."""

    seq: int
    """Order of acceptance over all sessions, from 1."""
    session: str
    id: str
    to_jid: str
    text: str
    created_at: float
    elsewhere: bool = False
    """Accepted before the session moved to the shard where it lives now."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to what; details without secrets."""

    at: float
    who: str
    """Name of a token; ``wavigil`` for what the daemon did by itself."""
    action: str
    target: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    role: str | None = None
    remote: str | None = None
    """Address that the request came from."""
    outcome: str = "done"
    """begun, done, or the reason why not: the last part of a problem's type."""


CLIENT = "client"
"""Key in the data of a stored state: the client that WhatsApp called outdated, where a session rests for that."""
LEFT = "left"
"""Key in the data of a state that is kept for a session's return, and not shown meanwhile."""


@dataclass(frozen=True, slots=True)
class SessionState:
    """The last transition of a session; the order of two is that of (incarnation, number)."""

    session: str
    incarnation: int
    """Grows with each start of the session's actor."""
    number: int
    """Counts the transitions within an incarnation."""
    state: str
    since: float
    cause: str | None = None
    code: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    """The event's other fields: previous, reason, message, detail, attempt, generation."""


@dataclass(frozen=True, slots=True)
class SendProgress:
    """How far a send has come."""

    session: str
    id: str
    message_id: str
    """WhatsApp's id; the same over every retry."""
    to_jid: str
    state: str
    """queued, sent-unconfirmed, acknowledged, delivered, read, failed"""
    updated_at: float
    error: str | None = None
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Score:
    """A session's health as last computed."""

    session: str
    score: int
    """0-100"""
    quality: str
    status: str
    at: float
    data: Mapping[str, Any] = field(default_factory=dict)
    """components and the like"""


@dataclass(frozen=True, slots=True)
class Episode:
    """One stretch of trouble of a session and what was done about it."""

    id: int
    session: str
    cause: str
    """Of its first failure."""
    strategy: str
    """The one in force now, or at its end: a ``Strategy`` of ``actors.recovery.strategies``."""
    attempts: int
    """Connections that were tried."""
    started_at: float
    """When the fault is believed to have begun."""
    ended_at: float | None = None
    """When it was known how it ended: of a healed one, when its last connection had proved itself."""
    outcome: str | None = None
    """healed, halted, operator, removed, unpaired; None while it goes on."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """lastCause, failures, waitingSince, plannedBy (attempts by who planned them) and the like."""
    detected_at: float | None = None
    """When it was noticed: ``detected_at - started_at`` is the time to detect."""
    healed_at: float | None = None
    """When the connection opened that then proved itself: ``healed_at - started_at`` is the time to recover."""


@dataclass(frozen=True, slots=True)
class Action:
    """One strategy applied to an episode."""

    id: int
    episode: int
    session: str
    cause: str
    """The last one when it was taken."""
    at: float
    strategy: str
    why: Mapping[str, Any] = field(default_factory=dict)
    """rule, counters, budgets and learnt success, as ``actors.recovery.explain`` gives them."""
    outcome: str | None = None
    """helped, failed, harmful, refused, superseded; None while that is not known."""
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class Canary:
    """A message between two sessions of this daemon that shows whether what is sent to the second arrives."""

    id: str
    """Its WhatsApp message id."""
    sender: str
    receiver: str
    at: float
    """When it was begun."""
    accepted_at: float | None = None
    """When the server acknowledged it."""
    ended_at: float | None = None
    outcome: str | None = None
    """arrived, missed, void; None while that is open"""
    shard: int | None = None
    """Of the receiver, when it was begun."""
    read_upto: int | None = None
    """How far that shard's outbox was read then: the arrival has a greater number."""
