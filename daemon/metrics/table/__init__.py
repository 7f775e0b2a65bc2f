"""The one table of metrics.

Exporter, documentation, dashboards and tests work from it.  Imports nothing of the project but its own parts.

Naming follows https://prometheus.io/docs/practices/naming/; `promtool check metrics` agrees.
"""

from daemon.metrics.table import connectors, general, history, recovery, sessions
from daemon.metrics.table.metric import Kind, Metric

__all__ = ["METRICS", "Kind", "Metric"]

METRICS: tuple[Metric, ...] = (
    general.BUILD_INFO,
    general.CONFIG_INFO,
    general.CONFIG_LAST_RELOAD_SUCCESSFUL,
    general.CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP,
    general.CONFIG_RESTART_NEEDED,
    sessions.SESSIONS,
    sessions.SESSIONS_LIVENESS,
    sessions.SESSION_UP,
    sessions.SESSION_STATUS,
    sessions.SESSION_HEALTH_SCORE,
    sessions.SESSION_RECONNECT_ATTEMPTS,
    sessions.SESSION_DISCONNECTS,
    sessions.SESSION_MESSAGES,
    sessions.SESSION_SENDS,
    sessions.SESSION_SENDS_WAITING,
    sessions.SESSION_UNDECRYPTABLE,
    sessions.SESSION_TIMELOCKED,
    sessions.SESSION_NEW_CHATS_USED,
    sessions.SESSION_NEW_CHATS_QUOTA,
    sessions.SESSION_PLATFORM_QUALITY,
    sessions.SESSION_CANARIES,
    sessions.SESSION_RHYTHM_AGE,
    sessions.SESSION_ROUND_TRIP,
    sessions.SESSION_LAST_SEEN,
    general.SUPERVISION_RESTARTS,
    general.SUPERVISION_CHILDREN,
    connectors.CONNECTOR_RESIDENT,
    connectors.CONNECTOR_LAG,
    connectors.CONNECTOR_CPU,
    connectors.CONNECTOR_UNCAUGHT,
    connectors.CONNECTOR_RECYCLED,
    connectors.CONNECTOR_SUCCEEDED,
    connectors.ADMISSION_CONNECTS,
    connectors.ADMISSION_SLOTS_LOST,
    connectors.ADMISSION_WAITING,
    connectors.ADMISSION_OUTAGE,
    connectors.ADMISSION_PROXIES_FAILING,
    history.HISTORY_ROWS,
    history.HISTORY_BEHIND,
    history.HISTORY_WAITING,
    history.HISTORY_WRITTEN,
    history.HISTORY_LOST,
    history.HISTORY_PRUNE,
    general.INTERVENTIONS,
    general.STORE_WRITABLE,
    general.DISK_FREE,
    recovery.RECOVERY_STARTED,
    recovery.RECOVERY_ENDED,
    recovery.RECOVERY_OPEN,
    recovery.RECOVERY_ACTIONS,
    recovery.RECOVERY_LOOPS,
    recovery.RECOVERY_ESCALATIONS,
    recovery.RECOVERY_DETECT,
    recovery.RECOVERY_RECOVER,
    recovery.RECOVERY_PAUSED,
    sessions.SESSION_STATE_SHOWN,
    general.API_REQUESTS,
    general.API_DURATION,
    *general.PROCESS,
)
"""Every family, in the order of the output."""
