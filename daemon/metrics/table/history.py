"""Metrics of the history of sessions."""

from daemon.metrics.table.metric import Metric

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
