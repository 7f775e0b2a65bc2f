"""Metrics of recovery: episodes, actions, times to notice and to heal."""

from daemon.metrics.table.metric import Metric

EPISODE_OUTCOMES = ("healed", "halted", "operator", "removed", "unpaired")

ACTION_OUTCOMES = ("helped", "failed", "harmful", "final", "superseded")
"""Values of the label `outcome` of episodes and of actions; final: nothing more may be tried."""

ESCALATION_REASONS = ("budget", "climb", "first", "harm", "held", "slow", "other")
"""Values of the label `reason`: rules of recovery, by which an operator should look."""

RECOVERY_STARTED = Metric(
    "wavigil_recovery_episodes_started_total",
    "counter",
    "Episodes of trouble that began, by the first cause, since wavigil was started.",
    ("cause",),
    "each cause that occurred",
)

RECOVERY_ENDED = Metric(
    "wavigil_recovery_episodes_ended_total",
    "counter",
    "Episodes that ended, by the first cause, what was done last and how they ended, since wavigil was started.",
    ("cause", "strategy", "outcome"),
    "each combination that occurred",
)

RECOVERY_OPEN = Metric(
    "wavigil_recovery_episodes_open",
    "gauge",
    "Episodes of trouble that go on.",
)

RECOVERY_ACTIONS = Metric(
    "wavigil_recovery_actions_total",
    "counter",
    "Strategies that were applied, by what came of them, since wavigil was started.",
    ("strategy", "outcome"),
    "each combination that occurred",
)

RECOVERY_LOOPS = Metric(
    "wavigil_recovery_loops_total",
    "counter",
    "How often five attempts in a row of an episode did not help, by the first cause, since wavigil was started.",
    ("cause",),
    "each cause that occurred",
)

RECOVERY_ESCALATIONS = Metric(
    "wavigil_recovery_escalations_total",
    "counter",
    "Episodes that an operator should look at: `budget`, no more may be done; `harm`, what was done broke siblings.",
    ("reason",),
)

RECOVERY_DETECT = Metric(
    "wavigil_recovery_time_to_detect_seconds",
    "histogram",
    "Time from the beginning of a fault, as far as it is known, until it was noticed.",
    ("cause",),
    "each cause that occurred",
)

RECOVERY_RECOVER = Metric(
    "wavigil_recovery_time_to_recover_seconds",
    "histogram",
    "Time from the beginning of a fault until the connection was open that then proved itself; without paused ones.",
    ("cause",),
    "each cause that was healed",
)

RECOVERY_PAUSED = Metric(
    "wavigil_recovery_paused_sessions",
    "gauge",
    "Sessions under a pause of recovery.",
)

RECOVERY_DETECT_BUCKETS = (0.1, 0.5, 1.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)

RECOVERY_RECOVER_BUCKETS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
"""Upper bounds in seconds."""
