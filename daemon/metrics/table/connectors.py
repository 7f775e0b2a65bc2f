"""Metrics of connector processes, and of the admission of their connections."""

from daemon.metrics.table.metric import Metric

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

CONNECTOR_SUCCEEDED = Metric(
    "wavigil_connector_succeeded_total",
    "counter",
    "Connector processes that died and whose place a spare took, since the shard's host was started.",
    ("shard",),
    "each shard whose connector process has told",
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

ADMISSION_PROXIES_FAILING = Metric(
    "wavigil_admission_proxies_failing",
    "gauge",
    "Proxies that fail for many sessions of the shard, of which one at a time tries.",
    ("shard",),
    "each shard whose connector process has told",
)
