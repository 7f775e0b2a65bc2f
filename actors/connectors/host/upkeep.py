"""What a host does for its database beside storing: forgets removed sessions, prunes what was kept long enough."""

import asyncio
import logging
import time
from collections.abc import Iterable

from actors.connectors.host.hints import Hints
from actors.connectors.host.journal import Journal
from actors.settings import Settings
from actors.store import api_queries, inbound, outbox, shard_queries
from actors.store.direct import Operation, Statements
from actors.store.engine import Database
from actors.store.errors import StoreError

log = logging.getLogger(__name__)

PERIOD = 60.0
"""Seconds between two prunings."""


class Upkeep:
    """Of one shard's database; ``journal`` and ``database`` are the same file, ``api`` is read only."""

    def __init__(
        self, shard: int, database: Database, journal: Journal, api: Database, hints: Hints, settings: Settings
    ) -> None:
        self._shard = shard
        self._database = database
        self._journal = journal
        self._api = api
        self._hints = hints
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """How long things are kept, from the next look on."""
        self._sends_keep = settings.sends_keep
        self._events_keep = settings.events_keep

    async def forget_gone(self) -> list[str]:
        """Forgets sessions that are placed here no more, or were removed and made again; returns which.

        api.db says so and not the plan: a session that was taken out of the configuration file keeps its verdict.
        """
        gone: list[str] = []
        try:
            async with self._api.begin() as conn:
                placed = await api_queries.placed_since(conn, self._shard)
                anywhere = await api_queries.load_placement(conn)
            known = await self._journal.read(shard_queries.known_sessions)
            for session, since in known.items():
                if session not in placed or since < placed[session]:
                    moved = session in anywhere and session not in placed
                    await self._journal.write(self._forgetting(session, moved=moved))
                    gone.append(session)
        except StoreError as error:
            self._database.watch.tell(log, "removed sessions can't be forgotten yet", error)
        return gone

    async def leave(self, sessions: Iterable[str]) -> None:
        """Tells of sessions that are not wanted any more, and keeps their states for their return."""
        for session in sessions:
            try:
                await self._journal.write(self._leaving(session))
            except StoreError as error:
                self._database.watch.tell(log, "sessions that left can't be marked", error)

    def _leaving(self, session: str) -> Operation[None]:
        async def leave(conn: Statements) -> None:
            await shard_queries.leave_session(conn, session, time.time())
            self._hints.concerns_all()

        return leave

    def _forgetting(self, session: str, *, moved: bool) -> Operation[None]:
        async def forget(conn: Statements) -> None:
            await shard_queries.forget_session(conn, session, time.time(), moved=moved)
            self._hints.concerns_all()

        return forget

    async def run(self) -> None:
        """Prunes for ever."""
        while True:
            now = time.time()
            try:
                await shard_queries.prune_sends(self._database, now - self._sends_keep, now)
                await outbox.prune(self._database, now - self._events_keep)
                await inbound.prune(self._database, now - inbound.REMEMBERED)
            except StoreError as error:
                self._database.watch.tell(log, "the shard's database can't be pruned yet", error)
            await asyncio.sleep(PERIOD)
