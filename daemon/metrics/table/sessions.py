"""Metrics of sessions, and the values of their labels."""

from collections.abc import Mapping

from daemon.metrics.table.metric import Metric

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

PLATFORM_RATINGS: Mapping[str, float] = {"high": 1, "medium": 0.5, "low": 0}
"""Ratings of a platform -> value; a number without one has no series."""

QUANTILES = (("p50", "0.5"), ("p95", "0.95"))
"""Quantiles of round-trip times: name in the snapshot, and value of the label `quantile`."""

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

SESSION_PLATFORM_QUALITY = Metric(
    "wavigil_session_platform_quality",
    "gauge",
    "How the platform rates the number of the session: 1 high, 0.5 medium, 0 low.",
    ("session",),
    "each session whose number has a rating that the connector can tell",
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

SESSION_STATE_SHOWN = Metric(
    "wavigil_session_state_shown_seconds",
    "histogram",
    "Time from a change of a session's state, as the session's actor stamps it, until the API shows it.",
)

SESSION_STATE_SHOWN_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds in seconds."""
