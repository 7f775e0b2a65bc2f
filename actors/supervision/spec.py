"""What a supervisor is told about its children and about itself: values, to OTP's terms."""

from dataclasses import dataclass
from enum import StrEnum


class Restart(StrEnum):
    """When an exited child is started again (OTP ``supervisor``, restart type)."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    """Only after an abnormal exit."""
    TEMPORARY = "temporary"
    """Never."""


class Strategy(StrEnum):
    """Which siblings an exit takes along."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


class OnIntensity(StrEnum):
    """What is done when restarts exceed the intensity."""

    ESCALATE = "escalate"
    """The supervisor ends itself and all its children; its own supervisor restarts it."""
    PARK = "park"
    """Only this child is set aside, and tried again later: it never takes its siblings along."""


@dataclass(frozen=True, slots=True)
class Intensity:
    """More than ``restarts`` within ``period`` seconds is too many."""

    restarts: int
    period: float


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays between restarts of one child; the first is at once.  OTP has none; Pekko's BackoffSupervisor does."""

    minimum: float = 0.05
    maximum: float = 30.0
    reset_after: float = 30.0
    """A child that ran this many seconds starts over from the first delay."""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A child specification."""

    id: str
    kind: str
    """What the tree shows: supervisor, service, connector-host, session."""
    restart: Restart = Restart.PERMANENT
    wait_ready: bool = True
    """Later siblings start only after this one is up."""
    start_timeout: float = 15.0
    heartbeat_timeout: float = 35.0
    stop_timeout: float = 5.0
    """Seconds from the request to stop until SIGKILL."""
    on_intensity: OnIntensity = OnIntensity.ESCALATE
    intensity: Intensity | None = None
    """For parking: this child's own bound."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How a supervisor decides."""

    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: Intensity = Intensity(5, 10.0)
    backoff: Backoff = Backoff()
    tick: float = 0.5
    """Seconds between looks at the clock."""
    late_after: float = 2.0
    """A look that comes this many seconds late means that the machine paused: nobody is blamed for silence."""
    kills_a_tick: int = 2
    starting: int = 1_000_000
    """Children that may be starting at a time: on a busy machine more of them make each slower."""
    pace: float = 0.02
    """Seconds between two starts: a fork blocks the supervisor for milliseconds."""
    park_retry: float = 300.0
