"""Families of what main keeps account of: restarts, interventions, and whether databases take writes.  Pure."""

from collections.abc import Mapping

from daemon.backend import Storage
from daemon.metrics.table import general as table
from daemon.metrics.text import family, prefix

_RESTARTS = {kind: ("automatic", f"restart_{kind.replace('-', '_')}") for kind in table.SUPERVISED}


def restarts(totals: Mapping[tuple[str, str], int]) -> str:
    """Restarts by the supervisors: the same counts as among the interventions, by the kinds of the tree."""
    return family(
        table.SUPERVISION_RESTARTS,
        [f"{prefix(table.SUPERVISION_RESTARTS, (kind,))}{totals.get(key, 0)}" for kind, key in _RESTARTS.items()],
    )


def render(totals: Mapping[tuple[str, str], int], storage: Storage) -> str:
    """The families after those of the tree."""
    counts = {**dict.fromkeys(table.INTERVENTIONS_KNOWN, 0), **totals}
    return (
        family(table.INTERVENTIONS, [f"{prefix(table.INTERVENTIONS, key)}{n}" for key, n in counts.items()])
        + family(
            table.STORE_WRITABLE,
            [f"{prefix(table.STORE_WRITABLE, (name,))}{int(works)}" for name, works in storage.writable.items()],
        )
        + family(table.DISK_FREE, [f"{prefix(table.DISK_FREE, ())}{storage.free_bytes}"])
    )
