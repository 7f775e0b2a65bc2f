"""Metrics of the daemon: build, configuration, supervision, interventions, databases, HTTP."""

from daemon.metrics.table.metric import Metric

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
