"""Sessions: what they and their host tell each other, and what their supervisor tells them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from thespian.actors import ActorAddress

from actors.messages.plans import ProxyPlan
from actors.recovery.plans import Policy


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
    life: int = 0
    """Under which it told its transitions to the host before; 0: to none."""


@dataclass(frozen=True, slots=True)
class SessionResume:
    """Host -> session: the stored state, and where its connector process listens."""

    session: str
    incarnation: int
    life: int
    """Number of this life of the session in the shard's database: higher than that of any other actor before."""
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
class UsePolicy:
    """Shard supervisor -> session: by what you plan for yourself from now on.

    Sent while its samples say that it plans by another one.
    """

    policy: Policy


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
