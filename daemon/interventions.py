"""Interventions: what operators did to heal something against what healed by itself, as counts that never fall.

They are rows of api.db, each counted in the transaction of what it was (the audit entry, the cursor of recovery's
outbox), so a restart of any process neither loses nor repeats one.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from actors.events import EventType
from actors.store import api_queries, intervention_queries, outbox
from actors.store.engine import Database
from daemon.audit.deeds import AUTOMATIC

RESTART = "restart_"
"""Before the kind of a process that its supervisor restarted."""

RESTART_SYSTEM = f"{RESTART}system"
"""Root or admin was lost, and with it the whole tree."""

KEEP_HOURS = 31 * 86400.0
"""Seconds for which counts are kept by the hour; older ones are in the totals only."""

PAGE = 500
"""Events of recovery's outbox counted in one transaction."""

_CURSOR, _IDENTITY = "cursor:recovery", "identity:recovery"


class Interventions:
    """``totals`` is what the database holds: (origin, action) -> count."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.totals: Mapping[tuple[str, str], int] = {}
        self._seen: Mapping[str, int] = {}
        """Restarts that the supervisors have told of, by kind, since the root supervisor started."""
        self._root: int | None = None
        self._noted: Counter[tuple[str, str]] = Counter()

    def note(self, origin: str, action: str) -> None:
        """Counts one with the next look at the tree."""
        self._noted[origin, action] += 1

    async def load(self) -> None:
        """Reads the totals.  Raises StoreError."""
        async with self.counting({}, 0.0):
            pass

    @asynccontextmanager
    async def counting(self, counts: intervention_queries.Counts, at: float) -> AsyncIterator[AsyncConnection]:
        """A transaction that counts these too.  Raises StoreError; then nothing was counted."""
        async with self._database.begin() as conn:
            yield conn
            await intervention_queries.add(conn, counts, at)
            totals = await intervention_queries.total(conn) if counts or not self.totals else self.totals
        self.totals = totals

    async def tree(self, tree: Mapping[str, Any], at: float) -> None:
        """Counts restarts that the supervision tree tells of and were not counted yet.  Raises StoreError.

        The root tells sums since its own start; a root with another pid begins anew.
        """
        told: Mapping[str, int] | None = tree.get("restartsByKind")
        if told is None:
            return
        seen = self._seen if tree["pid"] == self._root else {}
        noted = Counter(self._noted)
        new = noted + Counter({(AUTOMATIC, action_of(kind)): count - seen.get(kind, 0) for kind, count in told.items()})
        if new:
            async with self.counting(new, at):
                pass
        self._noted -= noted
        self._seen, self._root = dict(told), tree["pid"]

    async def recovered(self, recovery: Database) -> None:
        """Counts attempts of recovery that were not counted yet.  Raises StoreError."""
        origin = await recovery.run(outbox.origin)
        async with self._database.begin() as conn:
            identity = int(await api_queries.get_meta(conn, _IDENTITY) or 0)
            stored = int(await api_queries.get_meta(conn, _CURSOR) or 0)
            cursor = origin.resumed(identity, stored)
            if (identity, stored) != (origin.identity, cursor):
                await api_queries.set_meta(conn, _CURSOR, str(cursor))
                await api_queries.set_meta(conn, _IDENTITY, str(origin.identity))
        while True:
            async with recovery.begin() as conn:
                events = await outbox.read_after(conn, cursor, PAGE)
            if not events:
                return
            attempts = sum(event.type == EventType.RECOVERY_ATTEMPT for event in events)
            cursor = events[-1].seq
            async with self.counting({(AUTOMATIC, "reconnect"): attempts}, events[-1].at) as conn:
                await api_queries.set_meta(conn, _CURSOR, str(cursor))

    async def fold(self, now: float) -> None:
        """Forgets the hours of what is old.  Raises StoreError."""
        async with self._database.begin() as conn:
            await intervention_queries.fold(conn, now - KEEP_HOURS)


def action_of(kind: str) -> str:
    """The action of a restart: ``connector-host`` gives ``restart_connector_host``."""
    return RESTART + kind.replace("-", "_")
