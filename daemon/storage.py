"""Whether what must be stored can be stored: the databases' own reports, and what a caller is told."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from actors.store.errors import StoreError, StoreFull, StoreLate
from actors.store.watch import StoreWatch, free_bytes
from daemon.backend import BackendError, Storage
from daemon.metrics.supervision import nodes

SLOW = "Try again. If it lasts, wavigil doctor measures the disk of the state directory; who else has the file open?"


def refusal(error: StoreError, what: str) -> BackendError:
    """The error of a request that could not be stored or read; ``what`` says what that means for the caller."""
    database = error.path.stem
    if isinstance(error, StoreFull):
        return BackendError("storage_full", f"the disk of the state directory is full: {what}", database=database)
    if isinstance(error, StoreLate):
        told = f"{what}: {database}.db did not answer within {error.patience:g} s"
        return BackendError("unavailable", told, remedy=SLOW, database=database)
    return BackendError("unavailable", f"{what}: {error.reason}", database=database)


class Stores:
    """What main knows of the databases: its own at once, those of the actors by their heartbeats."""

    def __init__(self, state_dir: Path, own: StoreWatch) -> None:
        self._state_dir = state_dir
        self._own = own
        self._told: dict[str, Mapping[str, Any]] = {}

    def tree(self, tree: Mapping[str, Any]) -> None:
        """The supervision tree was read; a database whose writer is being restarted stays as it was."""
        for node in nodes(tree):
            if (report := node.get("store")) is not None:
                self._told[report["database"]] = report

    def forget(self, database: str) -> None:
        """Nobody writes it any more."""
        self._told.pop(database, None)

    def now(self) -> Storage:
        """Asks the file system only."""
        own = self._own.report()
        reports = [own, *(self._told[name] for name in sorted(self._told))]
        return Storage(
            free_bytes(self._state_dir),
            {report["database"]: report["writable"] for report in reports},
            tuple(report["problem"] for report in reports if not report["writable"]),
        )
