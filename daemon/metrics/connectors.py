"""Families of the connector processes, from the supervision tree as it was read last.  Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from daemon.metrics.supervision import nodes
from daemon.metrics.table import Metric
from daemon.metrics.table import connectors as table
from daemon.metrics.text import family, number, prefix

_READ: tuple[tuple[Metric, Callable[[Mapping[str, Any]], float]], ...] = (
    (table.CONNECTOR_RESIDENT, lambda stats: stats["residentBytes"]),
    (table.CONNECTOR_LAG, lambda stats: stats["eventLoopLagSeconds"]),
    (table.CONNECTOR_CPU, lambda stats: stats["cpuSeconds"]),
    (table.CONNECTOR_UNCAUGHT, lambda stats: stats["counts"].get("uncaught", 0)),
    (table.CONNECTOR_RECYCLED, lambda stats: stats["recycled"]),
    (table.CONNECTOR_SUCCEEDED, lambda stats: stats["succeeded"]),
    (table.ADMISSION_CONNECTS, lambda stats: stats["admission"]["admitted"]),
    (table.ADMISSION_SLOTS_LOST, lambda stats: stats["admission"]["slotsLost"]),
    (table.ADMISSION_WAITING, lambda stats: stats["admission"]["waiting"]),
    (table.ADMISSION_OUTAGE, lambda stats: int(stats["admission"]["outage"] is not None)),
    (table.ADMISSION_PROXIES_FAILING, lambda stats: len(stats["admission"]["proxies"])),
)


def render(tree: Mapping[str, Any] | None) -> str:
    """One series a shard in each family; nothing while the tree is not known."""
    if tree is None:
        return ""
    told = {str(node["id"]).partition("/")[0]: node["stats"] for node in nodes(tree) if node.get("stats")}
    return "".join(
        family(metric, [f"{prefix(metric, (shard,))}{number(read(stats))}" for shard, stats in sorted(told.items())])
        for metric, read in _READ
    )
