"""A shard's database, written by group commit, and who is to know that its outbox grew."""

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from actors.store import outbox
from actors.store.direct import Operation, Statements
from actors.store.engine import Database
from actors.store.errors import StoreError
from actors.store.group import GroupCommit

log = logging.getLogger(__name__)

T = TypeVar("T")

STORE_PAUSE = 1.0
"""Seconds before a refused write is tried again (a full disk)."""


class Journal(GroupCommit):
    """``grown`` is told the outbox's last number after each commit."""

    def __init__(self, database: Database, grown: Callable[[int], None]) -> None:
        super().__init__(database)
        self._grown = grown
        self._upto = 0

    async def last(self, conn: Statements) -> None:
        """See GroupCommit."""
        self._upto = await outbox.last_seq(conn)

    def committed(self) -> None:
        """See GroupCommit."""
        self._grown(self._upto)

    async def insist(self, operation: Operation[T], what: str) -> T:
        """Repeats a write until it is stored; ``what`` could not be, says the log meanwhile."""
        while True:
            try:
                return await self.write(operation)
            except StoreError as error:
                self.watch.tell(log, f"{what} could not be stored, trying again", error)
                await asyncio.sleep(STORE_PAUSE)
