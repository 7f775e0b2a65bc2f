"""Supervision: how actors are started, watched, named, described and stopped."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from thespian.actors import ActorAddress


@dataclass(frozen=True, slots=True)
class Init:
    """Supervisor -> child, its first message."""

    id: str
    kind: str
    incarnation: int
    """Number of this start within the life of the supervisor; answers of an earlier start are recognised by it."""
    heartbeat: float
    """Seconds between heartbeats."""
    args: Any
    bearable_at: float = 0.0
    """CLOCK_MONOTONIC: if it fails before that time, its supervisor has to give up."""


@dataclass(frozen=True, slots=True)
class Up:
    """Child -> supervisor: initialised, ready for work."""

    id: str
    incarnation: int
    pid: int
    owned: "OwnedProcess | None" = None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Child -> supervisor, sent by a coroutine: both of the child's loops turn."""

    id: str
    incarnation: int
    sample: Any = None
    """What the child folded since the last one: a session's Sample, a ServiceSample of infrastructure."""
    sent: float = 0.0
    """CLOCK_MONOTONIC, which all processes of a machine share: how long it waits tells its receiver's mailbox age."""
    mailbox_age: float = 0.0
    """Seconds that the oldest message whose handling is not finished has been there, and how late its loop is."""
    dropped: int = 0
    """Messages that the child dropped because their receivers took none, since its process began."""
    pss: int | None = None
    """Bytes, measured by a ``MemoryProbe``."""


@dataclass(frozen=True, slots=True)
class ServiceSample:
    """The ``sample`` of an actor that writes a database, or owns a process."""

    store: Mapping[str, Any] | None = None
    """Whether its database takes writes: the report of a ``StoreWatch``."""
    process: "OwnedProcess | None" = None
    stats: Mapping[str, Any] | None = None
    """What that process said of itself: see ``actors.connectors.host.census``."""
    history: Mapping[str, Any] | None = None
    """How far the history is: see ``actors.health.history.keeper``."""
    spare: "OwnedProcess | None" = None
    """A second process, which waits to take the place of the first one."""


@dataclass(frozen=True, slots=True)
class OwnedProcess:
    """A process that is no actor, but lives and ends with one."""

    id: str
    kind: str
    pid: int
    version: str
    started: float
    """CLOCK_MONOTONIC"""
    status: int | None = None
    """How it ended, as subprocess has it: negative for a signal; None while it runs."""
    why: str | None = None
    """What it did that its owner ended it for."""


@dataclass(frozen=True, slots=True)
class Restarts:
    """Supervisor -> its parent, after each restart: all restarts in its life, its supervisors' included.

    They are sums, so one that is lost is made good by the next.
    """

    id: str
    incarnation: int
    by_kind: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Stop:
    """Supervisor -> child: finish what is in hand and exit with status 0."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Launcher -> root: are you well?"""


@dataclass(frozen=True, slots=True)
class Pong:
    """Root -> launcher: its message loop turns."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """To the root supervisor: end the tree in reverse order of its start; nothing is restarted from here on."""


@dataclass(frozen=True, slots=True)
class ServiceUp:
    """Supervisor -> its parent, up to the root: an actor that others address by name (re)started."""

    name: str
    address: ActorAddress


@dataclass(frozen=True, slots=True)
class Directory:
    """Root -> everybody who addresses services: the actors that have names."""

    version: int
    addresses: Mapping[str, ActorAddress] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TreeQuery:
    """Gateway -> supervisor: describe yourself and your children."""

    correlation: int
    memory: bool = False
    """Whether /proc is to be read for each child."""


@dataclass(frozen=True, slots=True)
class TreeAnswer:
    """Supervisor -> gateway.  ``children`` are plain dicts of the supervision API plus ``address`` for supervisors."""

    correlation: int
    id: str
    pid: int
    children: tuple[Mapping[str, Any], ...]
    restarts: Mapping[str, int]
    """Restarts in its life by kind, those of the supervisors below it included."""
    itself: Mapping[str, Any]
    """Its own node, for who has no supervisor to describe it."""


@dataclass(frozen=True, slots=True)
class LogLevel:
    """Supervisor -> child: the least severe lines that it writes from now on."""

    level: str


@dataclass(frozen=True, slots=True)
class RestartSession:
    """Host -> shard supervisor, for recovery: replace the session's actor.  It counts as no failure."""

    session: str
