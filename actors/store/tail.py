"""Following the outbox of a shard: read-only, with a cursor of its own, driven by hints."""

import asyncio
import contextlib
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
        self._opening: asyncio.Task[None] | None = None
        self._cursor: int | None = None
        self._turn = asyncio.Lock()

    @property
    def begun(self) -> bool:
        """Whether it was read once."""
        return self._cursor is not None

    @property
    def cursor(self) -> int | None:
        """The number up to which it was read; None before that."""
        return self._cursor

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
        database = await self._opened()
        while True:
            page = await database.run(self._page)
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
        return await (await self._opened()).run(query)

    async def _opened(self) -> Database:
        """Who gives up waiting does not end the opening: the next one waits for the same, and none is made beside."""
        if self._database is None:
            if self._opening is None:
                self._opening = asyncio.create_task(self._open())
            await asyncio.shield(self._opening)
        assert self._database is not None
        return self._database

    async def _open(self) -> None:
        try:
            self._database = await open_reader(self._path)
        finally:
            self._opening = None

    async def close(self) -> None:
        """Closes the database."""
        if self._opening is not None:
            with contextlib.suppress(StoreError):
                await self._opening
        if self._database is not None:
            await self._database.close()
