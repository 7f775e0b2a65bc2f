"""Services: what health, recovery, the gateway and the hosts tell each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from thespian.actors import ActorAddress


@dataclass(frozen=True, slots=True)
class ShardReport:
    """Shard supervisor -> health, one each 5 s: the folded samples of its sessions."""

    shard: int
    samples: Mapping[str, Any]
    """session -> its Samples since the last report, oldest first"""
    parked: tuple[str, ...] = ()
    """Sessions that crashed over their intensity and wait to be tried again."""


@dataclass(frozen=True, slots=True)
class ShardPauses:
    """Host -> recovery: the sessions of this shard for which recovery is paused, all of them."""

    source: str
    """Of the shard: shard-3."""
    until: Mapping[str, float]
    """session -> seconds since 1970; infinity: until somebody ends it."""


@dataclass(frozen=True, slots=True)
class Command:
    """Gateway -> host -> session: an operator's request; gateway -> recovery: ``force``; recovery -> host: ``heal``."""

    correlation: int
    session: str
    name: str
    """start, stop, reconnect, logout, pairing, pairing_code; heal (cause, strategy), force (strategy, who)"""
    args: Mapping[str, Any]
    reply_to: ActorAddress


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The answer to a Command, straight to who sent it."""

    correlation: int
    ok: Any = None
    error: tuple[str, str] | None = None
    """Machine-readable reason and a sentence."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A producer -> its consumers: the outbox of ``source`` now reaches ``upto``."""

    source: str
    """Name of the database: shard-3, health, recovery, api."""
    upto: int


@dataclass(frozen=True, slots=True)
class HealthDelta:
    """Health -> gateway: the views that changed; the database holds the same for whoever missed it."""

    views: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class SendCanary:
    """Health -> host of the sender: send this to another session of this daemon.  Never repeated: lost, it is void."""

    id: str
    """Its message id."""
    session: str
    to: str = field(repr=False)
    """JID of the receiver's account."""
    text: str


@dataclass(frozen=True, slots=True)
class CanaryAnswer:
    """Host -> health: the server acknowledged it, or why not."""

    id: str
    at: float
    error: str | None = None
    """An error code of the connector protocol."""


@dataclass(frozen=True, slots=True)
class SendsWaiting:
    """Gateway -> host: the table of sends in api.db grew up to this sequence number."""

    upto: int
