"""What main keeps account of beside the sessions: the audit log, interventions, and whether databases take writes."""

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from actors.settings import Settings
from actors.store import intervention_queries
from actors.store.direct import Operation
from actors.store.engine import Database, open_reader
from actors.store.errors import StoreError
from daemon.audit.log import AuditLog
from daemon.backend import BackendError, Storage
from daemon.backup.make import BackupError, make
from daemon.backup.manifest import Manifest
from daemon.interventions import Interventions
from daemon.reads import Reads
from daemon.storage import Stores, refusal

log = logging.getLogger(__name__)
T = TypeVar("T")

RECOVERY_PERIOD = 5.0
"""Seconds between looks at what recovery did."""
FOLD_PERIOD = 3600.0
"""Seconds between two times that old hours are added up."""


class LiveAccounts:
    """Implements ``daemon.backend.Accounts`` over api.db."""

    def __init__(self, settings: Settings, database: Database, reads: Reads) -> None:
        self._settings = settings
        self._database = database
        self._stores = Stores(settings.state_dir, database.watch)
        self._recovery: Database | None = None
        self._reads = reads
        self.counts = Interventions(database)
        self.trail = AuditLog(database, self.counts, settings.audit_keep, read=self._read)

    async def open(self) -> None:
        """Reads what was counted.  Raises StoreError."""
        self._recovery = await open_reader(self._settings.database("recovery"))
        await self.counts.load()

    async def _read(self, query: Operation[T]) -> T:
        """Of api.db, beside what is written."""
        return await self._reads.begin().run("api", query)

    async def close(self) -> None:
        """Closes what ``open`` opened."""
        if self._recovery is not None:
            await self._recovery.close()

    def tasks(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """What runs as long as the daemon does."""
        return (self.trail.upkeep(), self._database.keep_probing(), self._follow_recovery(), self._fold())

    async def take_tree(self, tree: Mapping[str, Any]) -> None:
        """The supervision tree was read: it tells of restarts and of the actors' databases."""
        self._stores.tree(tree)
        try:
            await self.counts.tree(tree, time.time())
        except StoreError as error:
            self._database.watch.tell(log, "restarts are not counted yet", error)

    async def _follow_recovery(self) -> None:
        assert self._recovery is not None
        while True:
            try:
                await self.counts.recovered(self._recovery)
            except StoreError as error:
                self._database.watch.tell(log, "what recovery did is not counted yet", error)
            await asyncio.sleep(RECOVERY_PERIOD)

    async def _fold(self) -> None:
        while True:
            try:
                await self.counts.fold(time.time())
            except StoreError as error:
                self._database.watch.tell(log, "old interventions are not added up yet", error)
            await asyncio.sleep(FOLD_PERIOD)

    def totals(self) -> Mapping[tuple[str, str], int]:
        """See Accounts."""
        return self.counts.totals

    async def interventions(self, since: float) -> Mapping[tuple[str, str], int]:
        """See Accounts."""
        try:
            return await self._read(lambda conn: intervention_queries.total(conn, since))
        except StoreError as error:
            raise refusal(error, "the counts can't be read") from None

    async def backup(self, directory: Path) -> Manifest:
        """See Accounts."""
        try:
            return await asyncio.to_thread(make, self._settings.state_dir, directory, running=True)
        except BackupError as error:
            raise BackendError("storage_full" if error.full else "invalid", str(error)) from None

    def storage(self) -> Storage:
        """See Accounts."""
        return self._stores.now()
