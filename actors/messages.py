"""Every message between actors: frozen, documented records.

An actor message is acknowledged by the transport before it is handled, so each of them may be lost by a crash:
whoever needs an effect repeats the message, or reads the database that the message only hints at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from thespian.actors import ActorAddress

from actors.settings import Tuning
from config.secrets import Secret


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
class ProxyPlan:
    """The proxy that a session names."""

    name: str
    url: Secret | None = None
    """Where it is, with its password; None: the configuration does not say."""
    mark: str = ""
    """Tells it, with its address, from every other one: connectors and sessions compare it, nobody reads it."""
    connects_per_second: float | None = None
    """Bound on new connections through it; None: no other than that of the fleet."""


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """One session as the tree needs it."""

    id: str
    connector: str
    enabled: bool
    profile: Mapping[str, Any] | None = None
    """Options of this session for its connector."""
    paused_until: float | None = None
    """Recovery is paused until then, seconds since 1970 (infinity: until somebody ends it); None: it is not."""
    importance: int = 0
    """-100 to 100: the more important goes first when many want to connect."""
    proxy: ProxyPlan | None = None
    """All that the session does goes through it."""


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """Main -> gateway -> root -> fleet supervisor: the whole wanted fleet; each level applies the difference."""

    version: int
    shards: Mapping[int, tuple[SessionPlan, ...]]
    tuning: Tuning
    """Settings that hold from now on."""


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """Fleet supervisor -> shard supervisor: the sessions wanted in it."""

    version: int
    sessions: tuple[SessionPlan, ...]
    share: float
    """Of the fleet's bound on connects per second, 0-1: its part of the sessions with the same connector."""
    tuning: Tuning
    """Settings that hold from now on."""


@dataclass(frozen=True, slots=True)
class Retune:
    """Root -> services supervisor: settings that hold from now on."""

    tuning: Tuning


@dataclass(frozen=True, slots=True)
class LogLevel:
    """Supervisor -> child: the least severe lines that it writes from now on."""

    level: str


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
class RestartSession:
    """Host -> shard supervisor, for recovery: replace the session's actor.  It counts as no failure."""

    session: str


@dataclass(frozen=True, slots=True)
class HostAddress:
    """Shard supervisor -> its sessions: where the connector host is now."""

    address: ActorAddress


@dataclass(frozen=True, slots=True)
class ConnectorTrouble:
    """Host -> session: the connector process broke the protocol, or can't start; it has ended, or does so now."""

    fault: str
    """A `FaultKind`."""
    sentence: str
    """For operators."""


@dataclass(frozen=True, slots=True)
class ConnectorBroke:
    """Session -> host: what the connector process did on the session's link."""

    session: str
    pid: int
    """Of that process: the host may have another one by now."""
    fault: str
    sentence: str


@dataclass(frozen=True, slots=True)
class MoveLink:
    """Host -> session: a fresh connector process listens where you found the one you are linked to; move over."""


@dataclass(frozen=True, slots=True)
class SessionHello:
    """Session -> host: send me what is stored of me, and my commands.  Repeated until answered."""

    session: str
    incarnation: int
    pid: int


@dataclass(frozen=True, slots=True)
class SessionResume:
    """Host -> session: the stored state, and where its connector process listens."""

    session: str
    incarnation: int
    life: int
    """Number of this life of the session in the shard's database: higher than that of any earlier one."""
    saved: Mapping[str, Any] | None
    """What the session stored with its last transition, or None."""
    enabled: bool
    paused_until: float | None = None
    """As in its ``SessionPlan``."""


@dataclass(frozen=True, slots=True)
class Paused:
    """Host -> session: recovery is paused, or no longer; as in its ``SessionPlan``."""

    until: float | None


@dataclass(frozen=True, slots=True)
class UseProxy:
    """Shard supervisor -> session: through what you connect from now on; as in its ``SessionPlan``.

    Repeated while its samples say that it did not arrive.
    """

    proxy: ProxyPlan | None


@dataclass(frozen=True, slots=True)
class Transition:
    """Session -> host: my state changed.  Repeated until stored."""

    session: str
    life: int
    number: int
    """Counts the transitions of this life."""
    at: float
    state: str
    cause: str | None
    code: int | None
    data: Mapping[str, Any]
    """previous, reason, message, detail, attempt, generation, me, saved (the state to resume from)"""


@dataclass(frozen=True, slots=True)
class TransitionStored:
    """Host -> session: that transition, and all before it, are in the database."""

    session: str
    life: int
    number: int


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """Session -> host -> recovery: my connection ended, what now?  Unanswered, the session plans for itself."""

    session: str
    ask: int
    """Number of the question, given back with the answer."""
    cause: str
    attempt: int
    data: Mapping[str, Any]
    reply_to: ActorAddress


@dataclass(frozen=True, slots=True)
class PlanAnswer:
    """Recovery -> session."""

    ask: int
    action: str
    """A recovery ``Action``."""
    delay: float
    """Seconds."""


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
