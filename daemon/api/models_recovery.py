"""What the API answers about recovery."""

from typing import Any

from daemon.api.fields import Time
from daemon.api.models import Response


class RecoveryPause(Response):
    """A pause of recovery: the sessions that it covers are not connected by wavigil itself."""

    id: int
    session_id: str | None
    """The one session that it covers."""
    labels: dict[str, str]
    """Sessions with all of these are covered."""
    all: bool
    """All sessions are covered."""
    at: Time
    until: Time | None
    """When it ends by itself; null: when it is ended."""
    who: str
    """Name of the token that it was made with."""
    reason: str
    sessions: int
    """How many sessions it covers now."""


class RecoveryPauses(Response):
    """The pauses in effect, oldest first."""

    pauses: list[RecoveryPause]


class RecoveryEpisode(Response):
    """A stretch of trouble of one session."""

    id: int
    session_id: str
    cause: str
    """Of its first failure."""
    last_cause: str
    message: str | None
    """What the last cause means."""
    remedy: str | None
    """What an operator can do; null if nothing needs to be done."""
    strategy: str
    """What is done, or was done last: reconnect, restart, failover, slow_lane, wait_until, pair_again, stop, none."""
    attempts: int
    """Connections that were tried."""
    failures: int
    """Connections that ended."""
    started_at: Time
    """When the fault is believed to have begun."""
    detected_at: Time | None
    """When it was noticed."""
    healed_at: Time | None
    """When the connection opened that then proved itself."""
    ended_at: Time | None
    """When it was known how it ended; null while it goes on."""
    outcome: str | None
    """healed, halted (nothing automatic will be done), operator, removed, unpaired; null while it goes on."""
    detect_seconds: float | None
    recover_seconds: float | None
    held: bool
    """A pause of recovery held it up: its time counts in no summary."""


class RecoveryEpisodePage(Response):
    """A page of episodes, newest first."""

    episodes: list[RecoveryEpisode]
    next_cursor: str | None
    """For older ones; null when there are none."""


class RecoveryAction(Response):
    """One strategy that was applied."""

    id: int
    at: Time
    cause: str
    strategy: str
    why: dict[str, Any]
    """The rule, a sentence (`because`), and the counters and budgets that it rests on."""
    outcome: str | None
    """helped, failed, harmful, refused, superseded, final; null while that is not known."""
    ended_at: Time | None


class RecoveryEpisodeDetail(Response):
    """An episode with what was done, oldest first."""

    episode: RecoveryEpisode
    actions: list[RecoveryAction]


class RecoveryTimes(Response):
    """Durations; quantiles are off by less than 4.5 %."""

    count: int
    mean_seconds: float | None
    p50_seconds: float | None
    p95_seconds: float | None


class RecoveryGroup(Response):
    """Episodes that ended."""

    episodes: int
    outcomes: dict[str, int]
    success_rate: float | None
    """Healed ones among those that healed or halted, 0 to 1, of causes that can heal; null if there was none."""
    attempts: int
    loops: int
    """How often five attempts in a row did not help."""
    time_to_detect: RecoveryTimes
    time_to_recover: RecoveryTimes
    """Of healed ones that no pause held up."""


class RecoverySummary(Response):
    """What became of trouble within a time."""

    since: Time
    total: RecoveryGroup
    by_cause: dict[str, RecoveryGroup]
    by_strategy: dict[str, RecoveryGroup]
    """By what was done last."""
    open: int
    """Episodes that go on."""
    open_loops: int
    """Loops of those."""
    paused_sessions: int
    """Sessions under a pause now."""


class RecoveryBudget(Response):
    """How often something was done to a session within the last hour."""

    used: int
    allowed: int
    free_at: Time | None
    """When it may be done again; null: now."""


class RecoveryTrials(Response):
    """How often a strategy has helped against this cause within the last 90 days."""

    helped: int
    failed: int


class ExplainedEpisode(Response):
    """The episode that goes on, as it was then."""

    since: Time
    detected_at: Time
    cause: str
    last_cause: str
    failures: int
    attempts: int
    opened_at: Time | None
    """Since when the connection is open that has yet to prove itself."""
    doubt: str | None
    """What speaks against it: deaf, outbound_stuck, half_open, unproven."""
    remedy: str


class RecoveryExplanation(Response):
    """What recovery does about a session, and why."""

    session_id: str
    at: Time
    state: str | None
    """Where the session stood; null: it was not known."""
    rule: str
    """What the decision rests on: well, paused, stands, reconnects, under_way, unproven, grace, held, shared, crowd,
    budget, first, climb, forced, slow."""
    because: str
    action: str | None
    """What is ordered now: reconnect, restart, failover; null: nothing."""
    strategy: str
    """The rung that it is on, or gets on now."""
    until: Time | None
    """When this is decided anew at the latest, if that is known."""
    facts: dict[str, Any]
    """Counters that the decision rests on."""
    ladder: list[str]
    """What is tried against its cause, in this order."""
    budgets: dict[str, RecoveryBudget]
    learnt: dict[str, RecoveryTrials]
    next_delay_seconds: list[float] | None
    """Shortest and longest delay of the session's own next attempt, after the failure before it; null: none is planned.

    Of a session that is connecting: of the attempt after this one, should it fail as the last one did."""
    held_until: Time | None
    """Nothing is done before, since what was done broke other sessions."""
    paused: bool
    """Recovery is paused for it."""
    paused_until: Time | None
    """When that ends by itself; null: when somebody ends it."""
    episode: ExplainedEpisode | None
    complete: bool
    """False: the beginning of the episode is not kept any more, and counters may be too low."""
