"""Group commit for a shard's database: what arrives while one transaction runs shares the next, and its one fsync."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from actors.store import outbox
from actors.store.engine import Database
from actors.store.errors import StoreError

T = TypeVar("T")
Operation = Callable[[AsyncConnection], Awaitable[Any]]

GROUP_LIMIT = 256
"""Operations in one transaction at the most."""


class Journal:
    """Writes in the order of the calls; ``grown`` is told the outbox's last number after each commit."""

    def __init__(self, database: Database, grown: Callable[[int], None]) -> None:
        self._database = database
        self.watch = database.watch
        self._grown = grown
        self._waiting: list[tuple[Operation, asyncio.Future[Any]]] = []
        self._wake = asyncio.Event()

    async def write(self, operation: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Returns the operation's result once it is durable.  Raises StoreError; then nothing of it was stored."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((operation, future))
        self._wake.set()
        return await future

    async def read(self, operation: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Runs a query on the same connection."""
        async with self._database.begin() as conn:
            return await operation(conn)

    async def run(self) -> None:
        """Commits groups for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                group, self._waiting = self._waiting[:GROUP_LIMIT], self._waiting[GROUP_LIMIT:]
                await self._commit(group)

    async def _commit(self, group: list[tuple[Operation, asyncio.Future[Any]]]) -> None:
        results: list[Any] = []
        try:
            async with self._database.begin() as conn:
                for operation, _ in group:
                    results.append(await operation(conn))
                upto = await outbox.last_seq(conn)
        except StoreError as error:
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(group, results, strict=True):
            if not future.done():
                future.set_result(result)
        self._grown(upto)
