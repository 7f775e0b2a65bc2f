"""Families of the history, from the supervision tree as it was read last.  Pure."""

from collections.abc import Mapping
from typing import Any

from daemon.metrics.supervision import nodes
from daemon.metrics.table import history as table
from daemon.metrics.text import family, number, prefix

_READ = (
    (table.HISTORY_BEHIND, "behindSeconds"),
    (table.HISTORY_WAITING, "waiting"),
    (table.HISTORY_WRITTEN, "written"),
    (table.HISTORY_LOST, "lost"),
    (table.HISTORY_PRUNE, "pruneSeconds"),
)


def render(tree: Mapping[str, Any] | None) -> str:
    """As the health actor told last; nothing before."""
    told = next((node["history"] for node in nodes(tree) if node.get("history")), None) if tree is not None else None
    if told is None:
        return ""
    rows = [f"{prefix(table.HISTORY_ROWS, (level,))}{count}" for level, count in sorted(told["rows"].items())]
    return family(table.HISTORY_ROWS, rows) + "".join(
        family(metric, [f"{prefix(metric, ())}{number(told[key])}"]) for metric, key in _READ if told[key] is not None
    )
