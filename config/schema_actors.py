"""The parts of the configuration on the actors: supervision, recovery, health."""

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from config import rules
from config.durations import Span
from config.ids import LABEL_PATTERN, check_label
from config.schema_canary import Canary, TimeZone
from config.schema_history import History
from config.section import Rule, Section, Text

Wait = Annotated[float, Span("0s", "1h")]
Period = Annotated[float, Span("100ms", "1d")]
Restarts = Annotated[int, Field(ge=0, le=1000)]
Budget = Annotated[int, Field(ge=0, le=1000)]
Weight = Annotated[int, Field(ge=0, le=100)]
PlatformWeight = Annotated[int, Field(ge=0, le=50)]
Score = Annotated[int, Field(ge=1, le=100)]


class Intensity(Section):
    """How often children may be restarted before their supervisor gives up (OTP's restart intensity)."""

    restarts: Restarts = 5
    """Restarts within the period that are still borne."""

    period: Period = 10.0
    """The length of the sliding window."""


class SessionIntensity(Section):
    """How often one session may crash before it is parked."""

    restarts: Restarts = 5
    """Crashes within the period that are still borne."""

    period: Period = 60.0
    """The length of the sliding window."""


class RestartBackoff(Section):
    """How long a supervisor waits before it restarts a child; the wait doubles each time."""

    min: Wait = 0.05
    """The first wait."""

    max: Wait = 30.0
    """The longest wait."""

    reset_after: Period = 30.0
    """A child that lives this long begins at the first wait again."""

    cross_checks: ClassVar[tuple[Rule, ...]] = (Rule(("min", "max"), rules.ordered_backoff),)


class Supervision(Section):
    """How processes are watched and restarted."""

    heartbeat: Annotated[float, Span("50ms", "5m")] = 10.0
    """How often each actor tells its supervisor that it is well."""

    heartbeat_timeout: Annotated[float, Span("100ms", "30m")] = 35.0
    """An actor silent for this long is hung: it is killed and restarted."""

    tick: Annotated[float, Span("10ms", "10s")] = 1.0
    """How often a supervisor looks at its deadlines."""

    intensity: Intensity = Field(default_factory=Intensity)
    """Of infrastructure; beyond it the supervisor itself ends and its parent restarts it."""

    session_intensity: SessionIntensity = Field(default_factory=SessionIntensity)
    """Of one session; beyond it the session is parked and its siblings live on."""

    park_retry: Period = 300.0
    """How long a parked session stays parked before it is tried again."""

    backoff: RestartBackoff = Field(default_factory=RestartBackoff)
    """The wait before a restart."""

    shutdown_timeout: Annotated[float, Span("100ms", "5m")] = 8.0
    """How long the tree may take to end by itself before what is left is killed."""

    merge_memory: bool = True
    """Whether the kernel may share equal pages of session actors; it does while the machine lets ksmd run."""

    cross_checks: ClassVar[tuple[Rule, ...]] = (
        Rule(("heartbeat", "heartbeat_timeout"), rules.patient_supervisor),
        Rule(("tick", "heartbeat_timeout"), rules.attentive_supervisor),
    )


class ReconnectBackoff(Section):
    """How long a session waits before it connects again: full jitter below a bound that doubles each time."""

    min: Annotated[float, Span("10ms", "1h")] = 1.0
    """The first bound."""

    max: Annotated[float, Span("10ms", "1h")] = 32.0
    """The highest bound."""

    cross_checks: ClassVar[tuple[Rule, ...]] = (Rule(("min", "max"), rules.ordered_backoff),)


class RecoveryBudgets(Section):
    """What recovery may do within any hour to sessions that would do nothing by themselves."""

    reconnect: Budget = 6
    """New connections of a session that believes to be open, but hears nothing or gets nothing through."""

    restart: Budget = 3
    """Fresh actors for a session that new connections did not help."""

    failover: Budget = 1
    """Fresh connector processes for the sake of one session; each session that lives there logs in once."""

    logins: Annotated[int, Field(ge=1, le=10_000)] = 64
    """Logins that all of it may cost the sessions of one connector process."""


Label = Annotated[str, Text(check_label, "a label and its value such as priority:high", pattern=LABEL_PATTERN)]
Importance = Annotated[int, Field(ge=-100, le=100)]


def _none_is_no_label(value: object) -> object:
    return {} if value is None else value


class Recovery(Section):
    """How connections are healed."""

    backoff: ReconnectBackoff = Field(default_factory=ReconnectBackoff)
    """The wait after a transient cause."""

    budgets: RecoveryBudgets = Field(default_factory=RecoveryBudgets)
    """Bounds of what is done to sessions; tries of a session that lost its connection are bounded by their waits."""

    keep: Annotated[float, Span("1d", "3650d")] = 100 * 86400.0
    """How long episodes that have ended are kept, with what was done: recovery learns from the last 90 days."""

    importance: Annotated[dict[Label, Importance], BeforeValidator(_none_is_no_label)] = Field(
        default_factory=lambda: {"priority:high": 10, "priority:low": -10}
    )
    """Who connects first when many want to: the sum over the labels that a session has."""


class Weights(Section):
    """What the components count in the health score, in percent; all but platform together 100."""

    connection: Weight = 40
    """Open, connecting, waiting, closed."""

    latency: Weight = 15
    """Round-trip times."""

    acknowledgements: Weight = 20
    """Messages that the WhatsApp server acknowledged."""

    errors: Weight = 15
    """Errors of late."""

    stability: Weight = 10
    """Reconnects of late."""

    platform: PlatformWeight = 20
    """How the platform rates the number, where a connector can tell; the others then share the rest."""

    cross_checks: ClassVar[tuple[Rule, ...]] = (
        Rule(("connection", "latency", "acknowledgements", "errors", "stability"), rules.sum_of_weights),
    )


class Quality(Section):
    """From which score on a connection has a quality; below poor it is critical."""

    excellent: Score = 85
    good: Score = 65
    poor: Score = 40

    cross_checks: ClassVar[tuple[Rule, ...]] = (Rule(("excellent", "good", "poor"), rules.descending_quality),)


class Health(Section):
    """How sessions are scored."""

    weights: Weights = Field(default_factory=Weights)
    """What the components of the score count."""

    quality: Quality = Field(default_factory=Quality)
    """Where qualities begin."""

    hysteresis: Annotated[int, Field(ge=0, le=20)] = 3
    """Points by which a score must cross a border before the quality changes back."""

    stale_after: Annotated[float, Span("1s", "1h")] = 45.0
    """Evidence older than this lowers the score."""

    history: History = Field(default_factory=History)
    """How long what was observed of each session is kept."""
    timezone: TimeZone = "UTC"
    """In whose hours the rhythm of each session is learned, such as Europe/Berlin: where its people live."""

    canary: Canary = Field(default_factory=Canary)
    """Test messages between sessions."""
