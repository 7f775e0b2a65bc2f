"""Following the outboxes of the actors' databases: read-only, each with a cursor of its own, driven by hints."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from actors.store import outbox
from actors.store.engine import Database, open_reader
from actors.store.errors import StoreError
from actors.store.records import OutboxEvent

log = logging.getLogger(__name__)

PAGE = 500
"""Events read at a time."""


class Tail:
    """One outbox.  ``load`` reads what the events change, in the transaction that fixes the cursor."""

    def __init__(
        self,
        path: Path,
        load: Callable[[AsyncConnection], Awaitable[None]],
        on_event: Callable[[OutboxEvent], None],
    ) -> None:
        self._path = path
        self._load = load
        self._on_event = on_event
        self._database: Database | None = None
        self._cursor: int | None = None
        self._turn = asyncio.Lock()

    async def catch_up(self, upto: int | None = None) -> None:
        """Reads on until the end, or at least to ``upto``; a second call at the same time waits for the first."""
        async with self._turn:
            if upto is not None and self._cursor is not None and upto <= self._cursor:
                return
            try:
                await self._read()
            except StoreError as error:
                log.error("events can't be read, trying again at the next hint: %s", error)

    async def _read(self) -> None:
        if self._database is None:
            self._database = await open_reader(self._path)
        while True:
            async with self._database.begin() as conn:
                events = await outbox.read_after(conn, self._cursor, PAGE) if self._cursor is not None else []
                if self._cursor is None or (events and events[0].seq != self._cursor + 1):
                    # the first time; or it was away for so long that what it had to read is pruned
                    await self._load(conn)
                    self._cursor = await outbox.last_seq(conn)
                    return
            for event in events:
                self._on_event(event)
                self._cursor = event.seq
            if len(events) < PAGE:
                return

    async def read(self, query: Callable[[AsyncConnection], Awaitable[object]]) -> object:
        """Runs a query on the same read-only connection."""
        if self._database is None:
            self._database = await open_reader(self._path)
        async with self._database.begin() as conn:
            return await query(conn)

    async def close(self) -> None:
        """Closes the database."""
        if self._database is not None:
            await self._database.close()
