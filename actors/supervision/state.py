"""What a supervisor knows: immutable records that the restart decision takes and returns."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from actors.supervision.spec import ChildSpec


class Phase(StrEnum):
    """Where a child is in its life."""

    WAITING = "waiting"
    """Not running; to be started when ``due``."""
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    """Not running, and nothing will start it."""
    PARKED = "parked"
    """Crashed over its intensity; to be tried again when ``due``."""


ALIVE = frozenset({Phase.STARTING, Phase.RUNNING, Phase.STOPPING})


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended."""

    how: str
    """signal, code, hung, asked, sibling, start_timeout, stop_timeout, not_started, unknown"""
    value: int | None = None
    """Signal number or exit status."""
    at: float = 0.0
    """Seconds since 1970."""
    why: str | None = None
    """What it had done that it was ended for; of a process that is no actor."""

    @property
    def normal(self) -> bool:
        """Whether a transient child stays down after it."""
        return self.how == "asked" or (self.how == "code" and self.value == 0)


@dataclass(frozen=True, slots=True)
class Child:
    """One child."""

    spec: ChildSpec
    args: Any = None
    phase: Phase = Phase.WAITING
    incarnation: int = 0
    due: float = 0.0
    """Monotonic time of the next start, for waiting and parked."""
    since: float = 0.0
    """Monotonic time at which the phase began."""
    last_beat: float = 0.0
    failures: int = 0
    """Consecutive restarts without a quiet time between: the exponent of the back-off."""
    restarts: int = 0
    recent: tuple[float, ...] = ()
    """Times of this child's restarts within its own period."""
    verdict: str | None = None
    """Why the supervisor is ending it: hung, start_timeout, stop_timeout, asked, sibling."""
    again: bool = False
    """Start it again once it has stopped."""
    taken: bool = False
    """A sibling's failure takes it along: it is stopped in its turn, and nobody starts before it is gone."""
    removed: bool = False
    """Forget it once it has stopped."""
    last_exit: Exit | None = None

    @property
    def alive(self) -> bool:
        """Whether there is a process."""
        return self.phase in ALIVE


@dataclass(frozen=True, slots=True)
class State:
    """A supervisor."""

    children: dict[str, Child] = field(default_factory=dict)
    """In the order of their start.  Never mutated: a change makes a new dict."""
    recent: tuple[float, ...] = ()
    """Times of the restarts that count towards the supervisor's own intensity."""
    next_incarnation: int = 1
    next_start: float = 0.0
    """No child is started before: the pace."""
    next_kill: float = 0.0
    """No hung child is ended before."""
    last_tick: float | None = None
    stopping: bool = False

    def put(self, child: Child) -> "State":
        """This state with that child in place of its namesake."""
        return replace(self, children={**self.children, child.spec.id: child})

    def without(self, id: str) -> "State":
        """This state without that child."""
        return replace(self, children={known: child for known, child in self.children.items() if known != id})


@dataclass(frozen=True, slots=True)
class Start:
    """Fork this child."""

    id: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class AskToStop:
    """Send it Stop."""

    id: str


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL its process."""

    id: str
    why: str


@dataclass(frozen=True, slots=True)
class Escalate:
    """End this supervisor and all below it."""

    why: str


@dataclass(frozen=True, slots=True)
class Finished:
    """All children are gone and none will be started: exit with status 0."""


Action = Start | AskToStop | Kill | Escalate | Finished
Result = tuple[State, tuple[Action, ...]]
