"""The one table of metrics.

Exporter, documentation, dashboards and tests work from it.  Imports nothing of the project.

Naming follows https://prometheus.io/docs/practices/naming/; `promtool check metrics` agrees.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["gauge", "counter", "histogram", "summary"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family."""

    name: str
    """As in queries; of a histogram or summary without `_bucket`, `_sum`, `_count`."""
    kind: Kind
    help: str
    """One sentence, without a line break."""
    labels: tuple[str, ...] = ()
    """In the order of the output; without `le` of histograms."""
    when: str = "always"
    """When there are series of it."""

    def __post_init__(self) -> None:
        if (self.kind == "counter") != self.name.endswith("_total"):
            raise ValueError(f"{self.name}: counters, and only they, end in _total")


SESSION_STATUSES = ("connected", "connecting", "pairing", "disconnected", "blocked", "error", "stopped")
"""Values of the label `status`."""

CANARY_OUTCOMES = ("sent", "arrived", "missed", "void")
"""Values of the label `outcome` of canaries."""

SESSION_LIVENESS = ("alive", "quiet", "deaf", "half_open", "outbound_stuck")
"""Values of the label `liveness`."""

MESSAGE_RESULTS = ("sent", "acknowledged", "failed", "received", "undecryptable")
"""Values of the label `result`."""

SEND_OUTCOMES = ("accepted", "acknowledged", "delivered", "read", "failed")
"""Values of the label `outcome`."""

SUPERVISED = ("supervisor", "service", "connector-host", "session")
"""Values of the label `kind` of what can be restarted."""

INTERVENTIONS_KNOWN = (
    *(("manual", action) for action in ("reconnect", "start", "stop", "logout", "force", "pair", "restart_daemon")),
    ("automatic", "reconnect"),
    *(("automatic", f"restart_{kind.replace('-', '_')}") for kind in SUPERVISED),
    ("automatic", "restart_system"),
    ("automatic", "restart_daemon"),
)
"""Values of the labels `origin` and `action`: all are there from the start, as 0, so that rates see the first one."""

QUANTILES = (("p50", "0.5"), ("p95", "0.95"))
"""Quantiles of round-trip times: name in the snapshot, and value of the label `quantile`."""

BUILD_INFO = Metric(
    "wavigil_build_info",
    "gauge",
    "1, labelled with the version of wavigil and of Python.",
    ("version", "python"),
)

CONFIG_INFO = Metric(
    "wavigil_config_info",
    "gauge",
    "1, labelled with the SHA-256 of the configuration file's text as it was last taken over.",
    ("hash",),
)
CONFIG_LAST_RELOAD_SUCCESSFUL = Metric(
    "wavigil_config_last_reload_successful",
    "gauge",
    "1 if the configuration was taken over at the last reload, or at the start, 0 if it was refused.",
)
CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP = Metric(
    "wavigil_config_last_reload_success_timestamp_seconds",
    "gauge",
    "Unix time at which the configuration was last taken over.",
)
CONFIG_RESTART_NEEDED = Metric(
    "wavigil_config_restart_needed",
    "gauge",
    "1 while the configuration file, as last read, has settings that only a restart of the daemon applies.",
)

SESSIONS = Metric(
    "wavigil_sessions",
    "gauge",
    "Number of sessions with this status, also where it is 0.",
    ("status", "connector"),
    "for each connector that has a session",
)

SESSIONS_LIVENESS = Metric(
    "wavigil_sessions_by_liveness",
    "gauge",
    "Open sessions by their liveness; deaf, half_open and outbound_stuck are faults, quiet is none.",
    ("liveness",),
    "once a session is configured",
)
SESSION_UP = Metric(
    "wavigil_session_up",
    "gauge",
    "1 if the session is connected, else 0.",
    ("session", "connector"),
    "each session",
)
SESSION_STATUS = Metric(
    "wavigil_session_status",
    "gauge",
    "1 for the status that the session has, 0 for each other.",
    ("session", "status"),
    "each session",
)
SESSION_HEALTH_SCORE = Metric(
    "wavigil_session_health_score",
    "gauge",
    "Health score of the session from 0 (dead) to 100 (proven healthy).",
    ("session",),
    "each session that was scored",
)
SESSION_RECONNECT_ATTEMPTS = Metric(
    "wavigil_session_reconnect_attempts",
    "gauge",
    "Attempts to reconnect in the episode under way, 0 when the session is open.",
    ("session",),
    "each session",
)
SESSION_DISCONNECTS = Metric(
    "wavigil_session_disconnects_total",
    "counter",
    "Connections of the session that ended and were not closed by wavigil; restarts asked for (515) count.",
    ("session",),
    "each session",
)
SESSION_MESSAGES = Metric(
    "wavigil_session_messages_total",
    "counter",
    "Messages of the session: sent, acknowledged by the server, failed, received, undecryptable.",
    ("session", "result"),
    "each session",
)
SESSION_SENDS = Metric(
    "wavigil_session_sends_total",
    "counter",
    "Messages given to the API since wavigil started that came so far, each counted once an outcome.",
    ("session", "outcome"),
    "each session",
)
SESSION_SENDS_WAITING = Metric(
    "wavigil_session_sends_waiting",
    "gauge",
    "Messages accepted by the API that are neither acknowledged by the WhatsApp server nor failed.",
    ("session",),
    "each session",
)
SESSION_UNDECRYPTABLE = Metric(
    "wavigil_session_undecryptable_ratio",
    "gauge",
    "Share of the messages that arrived within the last hour and could not be decrypted.",
    ("session",),
    "each session to which something was sent within an hour",
)
SESSION_TIMELOCKED = Metric(
    "wavigil_session_timelocked",
    "gauge",
    "1 while WhatsApp restricts whom the account may write to, else 0.",
    ("session",),
    "each session",
)
SESSION_NEW_CHATS_USED = Metric(
    "wavigil_session_new_chats_used",
    "gauge",
    "New chats that the account began in WhatsApp's present cycle.",
    ("session",),
    "each session whose account has a cap",
)
SESSION_NEW_CHATS_QUOTA = Metric(
    "wavigil_session_new_chats_quota",
    "gauge",
    "New chats that the account may begin in WhatsApp's present cycle.",
    ("session",),
    "each session whose account has a cap",
)
SESSION_CANARIES = Metric(
    "wavigil_session_canaries_total",
    "counter",
    "Test messages to the session from another one: sent, arrived, missed, void (they proved nothing).",
    ("session", "outcome"),
    "each session that got one",
)
SESSION_RHYTHM_AGE = Metric(
    "wavigil_session_rhythm_age_seconds",
    "gauge",
    "For how long wavigil has been learning when messages usually come to the session.",
    ("session",),
    "each session",
)
SESSION_ROUND_TRIP = Metric(
    "wavigil_session_round_trip_seconds",
    "summary",
    "Round-trip time of the heartbeats between the session and the WhatsApp server.",
    ("session", "quantile"),
    "each session with an answered heartbeat",
)
SESSION_LAST_SEEN = Metric(
    "wavigil_session_last_seen_timestamp_seconds",
    "gauge",
    "Unix time of the last proof of life from the server's side.",
    ("session",),
    "each session that was ever open",
)

SUPERVISION_RESTARTS = Metric(
    "wavigil_supervision_restarts_total",
    "counter",
    "Restarts of supervised processes since the first start of this state directory; restarts of wavigil keep it.",
    ("kind",),
)
SUPERVISION_CHILDREN = Metric(
    "wavigil_supervision_children",
    "gauge",
    "Number of supervised processes by kind and state.",
    ("kind", "state"),
    "while the supervision tree answers",
)

CONNECTOR_RESIDENT = Metric(
    "wavigil_connector_resident_memory_bytes",
    "gauge",
    "Resident memory of the connector process of that shard.",
    ("shard",),
    "each shard whose connector process has told",
)
CONNECTOR_LAG = Metric(
    "wavigil_connector_event_loop_lag_seconds",
    "gauge",
    "How late the event loop of the connector process was at worst, between its last two answers.",
    ("shard",),
    "each shard whose connector process has told",
)
CONNECTOR_CPU = Metric(
    "wavigil_connector_cpu_seconds_total",
    "counter",
    "Processor time of the connector process since it was started.",
    ("shard",),
    "each shard whose connector process has told",
)
CONNECTOR_UNCAUGHT = Metric(
    "wavigil_connector_uncaught_errors_total",
    "counter",
    "Errors that nothing in the connector process caught; each ended one session's connection at most.",
    ("shard",),
    "each shard whose connector process has told",
)
CONNECTOR_RECYCLED = Metric(
    "wavigil_connector_recycled_total",
    "counter",
    "Connector processes that were replaced since they used too much memory, since the shard's host was started.",
    ("shard",),
    "each shard whose connector process has told",
)

HISTORY_ROWS = Metric(
    "wavigil_history_rows",
    "gauge",
    "Rows of the history of sessions; of raw and minute, one is a minute of a session.",
    ("level",),
    "each level, once the health actor has told",
)
HISTORY_BEHIND = Metric(
    "wavigil_history_behind_seconds",
    "gauge",
    "How long ago the last minute ended that was written to the history; 15 to 90 is usual.",
    when="once the health actor has told",
)
HISTORY_WAITING = Metric(
    "wavigil_history_waiting_rows",
    "gauge",
    "Minutes of sessions that wait to be written to the history, since the disk takes nothing for example.",
    when="once the health actor has told",
)
HISTORY_WRITTEN = Metric(
    "wavigil_history_written_rows_total",
    "counter",
    "Minutes of sessions written to the history since the health actor started.",
    when="once the health actor has told",
)
HISTORY_LOST = Metric(
    "wavigil_history_lost_rows_total",
    "counter",
    "Minutes of sessions that were not written to the history, or came too late, since the health actor started.",
    when="once the health actor has told",
)
HISTORY_PRUNE = Metric(
    "wavigil_history_prune_seconds",
    "gauge",
    "How long the last pruning of the history took, pauses between its transactions included.",
    when="once the health actor has told",
)
ADMISSION_CONNECTS = Metric(
    "wavigil_admission_connects_total",
    "counter",
    "Connections that the shard's host let begin, since it was started; the sum of the rates is the fleet's.",
    ("shard",),
    "each shard whose connector process has told",
)
ADMISSION_SLOTS_LOST = Metric(
    "wavigil_admission_slots_lost_total",
    "counter",
    "Moments for one connection that the host or its connector was too late to use, since the host was started.",
    ("shard",),
    "each shard whose connector process has told",
)
ADMISSION_WAITING = Metric(
    "wavigil_admission_waiting",
    "gauge",
    "Sessions of the shard that wait to be let in, be it for the bound or for the end of an outage.",
    ("shard",),
    "each shard whose connector process has told",
)
ADMISSION_OUTAGE = Metric(
    "wavigil_admission_outage",
    "gauge",
    "1 while nobody gets through and one session at a time tries for all, of the fleet or of this shard, else 0.",
    ("shard",),
    "each shard whose connector process has told",
)

INTERVENTIONS = Metric(
    "wavigil_interventions_total",
    "counter",
    "What operators did to heal something (manual), and what healed by itself; restarts of wavigil keep it.",
    ("origin", "action"),
)

STORE_WRITABLE = Metric(
    "wavigil_store_writable",
    "gauge",
    "1 if the database takes writes, 0 if it refuses them, because the disk is full for example.",
    ("database",),
    "each database whose writer has told",
)
DISK_FREE = Metric(
    "wavigil_disk_free_bytes",
    "gauge",
    "Bytes that wavigil may still write on the disk of its state directory.",
)

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

API_REQUESTS = Metric(
    "wavigil_api_requests_total",
    "counter",
    "HTTP requests answered, by route template, method and status code.",
    ("route", "method", "status"),
    "each combination that occurred",
)
API_DURATION = Metric(
    "wavigil_api_request_duration_seconds",
    "histogram",
    "Time from the request's headers to the end of its handler, waiting asked for by the caller included.",
    ("route",),
    "each route that was used",
)

API_DURATION_BUCKETS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
)
"""Upper bounds in seconds.  The long ones are for sends and pairings that wait."""

PROCESS = (
    Metric("process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes."),
    Metric("process_resident_memory_bytes", "gauge", "Resident memory size in bytes."),
    Metric("process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds."),
    Metric("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds."),
    Metric("process_open_fds", "gauge", "Number of open file descriptors."),
    Metric("process_max_fds", "gauge", "Maximum number of open file descriptors."),
)
"""Of the main process, by prometheus_client's ProcessCollector, under the names that every exporter uses."""

METRICS: tuple[Metric, ...] = (
    BUILD_INFO,
    CONFIG_INFO,
    CONFIG_LAST_RELOAD_SUCCESSFUL,
    CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP,
    CONFIG_RESTART_NEEDED,
    SESSIONS,
    SESSIONS_LIVENESS,
    SESSION_UP,
    SESSION_STATUS,
    SESSION_HEALTH_SCORE,
    SESSION_RECONNECT_ATTEMPTS,
    SESSION_DISCONNECTS,
    SESSION_MESSAGES,
    SESSION_SENDS,
    SESSION_SENDS_WAITING,
    SESSION_UNDECRYPTABLE,
    SESSION_TIMELOCKED,
    SESSION_NEW_CHATS_USED,
    SESSION_NEW_CHATS_QUOTA,
    SESSION_CANARIES,
    SESSION_RHYTHM_AGE,
    SESSION_ROUND_TRIP,
    SESSION_LAST_SEEN,
    SUPERVISION_RESTARTS,
    SUPERVISION_CHILDREN,
    CONNECTOR_RESIDENT,
    CONNECTOR_LAG,
    CONNECTOR_CPU,
    CONNECTOR_UNCAUGHT,
    CONNECTOR_RECYCLED,
    ADMISSION_CONNECTS,
    ADMISSION_SLOTS_LOST,
    ADMISSION_WAITING,
    ADMISSION_OUTAGE,
    HISTORY_ROWS,
    HISTORY_BEHIND,
    HISTORY_WAITING,
    HISTORY_WRITTEN,
    HISTORY_LOST,
    HISTORY_PRUNE,
    INTERVENTIONS,
    STORE_WRITABLE,
    DISK_FREE,
    RECOVERY_STARTED,
    RECOVERY_ENDED,
    RECOVERY_OPEN,
    RECOVERY_ACTIONS,
    RECOVERY_LOOPS,
    RECOVERY_ESCALATIONS,
    RECOVERY_DETECT,
    RECOVERY_RECOVER,
    RECOVERY_PAUSED,
    API_REQUESTS,
    API_DURATION,
    *PROCESS,
)
"""Every family, in the order of the output."""
