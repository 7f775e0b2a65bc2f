"""Answers about the supervision tree."""

from pydantic import ConfigDict, Field

from daemon.api.fields import Time
from daemon.api.models import Response


class Exit(Response):
    """How a process ended."""

    how: str
    """`signal` or `code`: by itself; `hung`, `start_timeout`, `stop_timeout`: its supervisor killed it; `asked`;
    `sibling`: stopped with one that failed; `with_owner`: a connector process with its host; `not_started`; `lost`:
    with an actor system that the keeper started afresh; `unknown`."""
    value: int | None
    """Number of the signal, or exit status."""
    signal: str | None
    """The signal's name, if it was one."""
    at: Time
    why: str | None = None
    """What a connector process had done that its host ended it for: the kind of the fault, and a sentence."""


class Outage(Response):
    """A trouble that many sessions share: one after the other is let in to try, the others wait."""

    since: float
    """When it began, in seconds since 1970."""
    cause: str
    """Of the last failure."""
    fleet: bool
    """Whether the whole fleet has it, or this connector process alone."""


class Admission(Response):
    """Who of a shard may connect when."""

    admitted: int
    """Connections let in, in the life of the host."""
    slots_lost: int
    """Moments of the fleet's bound that went by unused, since this machine had no time, in the life of the host."""
    waiting: int
    """Sessions that wait to be let in."""
    outage: Outage | None


class ConnectorStats(Response):
    """A connector process as it told of itself; it is asked each 5 s."""

    resident_bytes: int
    cpu_seconds: float
    event_loop_lag_seconds: float
    """How late its event loop was at worst since it was asked before."""
    sessions: int
    """Sessions that had a link to it."""
    counts: dict[str, int]
    """Sessions by phase, and what happened since it was started: logins, pairings, closed, sends, acks, nacks,
    received, undecryptable, uncaught."""
    recycled: int
    """Processes before this one that were replaced since they used too much memory, in the life of the host."""
    succeeded: int
    """Times that a spare took the place of a process that had died, in the life of the host."""
    admission: Admission


class Node(Response):
    """A node of the supervision tree."""

    model_config = ConfigDict(extra="allow")

    id: str
    kind: str
    pid: int | None = None
    state: str
    uptime_seconds: float | None = None
    restarts: int = 0
    """Of the place in the tree, in the life of its supervisor."""
    last_exit: Exit | None = None
    rss_bytes: int | None = None
    """Resident memory; most of it is shared between the processes."""
    pss_bytes: int | None = None
    """Proportional set size: what n processes share counts 1/n in each, so the sum over all is what they take. An actor
    measures itself each 5 min, for the first time within 80 s after its start; null before."""
    mailbox_age_seconds: float | None = None
    """How long the oldest message has waited to be handled, at the last heartbeat; null before the first."""
    heartbeat_age_seconds: float | None = None
    dropped_messages: int | None = None
    """Messages that it did not send since their receivers took none, since the process began."""
    stats: ConnectorStats | None = None
    """What a connector process said last."""
    children: list["Node"] = Field(default_factory=list)


class Tree(Node):
    """The supervision tree, beginning with its root."""

    above: list[Node] = Field(default_factory=list)
    """What runs above the root, from the top: main, keeper, launcher, admin, logger."""
