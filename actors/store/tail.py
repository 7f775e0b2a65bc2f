"""Following the outbox of a shard: read-only, with a cursor of its own, driven by hints."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from actors.store import outbox
from actors.store.direct import Operation, Statements
from actors.store.engine import Database, open_reader
from actors.store.errors import StoreError
from actors.store.records import OutboxEvent

log = logging.getLogger(__name__)
L = TypeVar("L")

PAGE = 500
"""Events read at a time."""


@dataclass(frozen=True, slots=True)
class _Afresh(Generic[L]):
    """Of one snapshot of the database: everything, and where its outbox ended."""

    loaded: L
    last: int


class Tail(Generic[L]):
    """One outbox.  ``loaded`` is given what ``load`` read where the cursor begins, ``on_event`` what follows.

    ``load`` runs in the database's thread: it changes nothing.  It runs again when this consumer was away for so long
    that what it had to read is pruned.
    """

    def __init__(
        self,
        path: Path,
        load: Operation[L],
        loaded: Callable[[L], None],
        on_event: Callable[[OutboxEvent], None],
    ) -> None:
        self._path = path
        self._load = load
        self._loaded = loaded
        self._on_event = on_event
        self._database: Database | None = None
        self._cursor: int | None = None
        self._turn = asyncio.Lock()

    @property
    def begun(self) -> bool:
        """Whether it was read once."""
        return self._cursor is not None

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
            page = await self._database.run(self._page)
            if isinstance(page, _Afresh):
                self._loaded(page.loaded)
                self._cursor = page.last
                return
            for event in page:
                self._on_event(event)
                self._cursor = event.seq
            if len(page) < PAGE:
                return

    async def _page(self, conn: Statements) -> Sequence[OutboxEvent] | _Afresh[L]:
        """In the database's thread: it changes nothing here."""
        events = await outbox.read_after(conn, self._cursor, PAGE) if self._cursor is not None else []
        if self._cursor is None or (events and events[0].seq != self._cursor + 1):
            return _Afresh(await self._load(conn), await outbox.last_seq(conn))
        return events

    async def read(self, query: Operation[object]) -> object:
        """Runs a query on the same read-only connection."""
        if self._database is None:
            self._database = await open_reader(self._path)
        return await self._database.run(query)

    async def close(self) -> None:
        """Closes the database."""
        if self._database is not None:
            await self._database.close()
