"""Group commit: what arrives while one transaction runs shares the next, and its one fsync."""

import asyncio
from typing import Any, Final, TypeVar

from actors.store.direct import Operation, Statements
from actors.store.engine import Database

T = TypeVar("T")

GROUP_LIMIT: Final = 256
"""Operations in one transaction at the most."""

_Waiting = tuple[Operation[Any], "asyncio.Future[Any]"]


class GroupCommit:
    """Writes in the order of the calls, while ``run`` runs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.watch = database.watch
        self._waiting: list[_Waiting] = []
        self._wake = asyncio.Event()

    async def write(self, operation: Operation[T]) -> T:
        """Returns the operation's result once it is durable.  Raises StoreError; then nothing of it was stored.

        What an operation raises reaches all whose writes were in the same transaction.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((operation, future))
        self._wake.set()
        return await future

    async def read(self, operation: Operation[T]) -> T:
        """Runs a query on the same connection."""
        return await self._database.run(operation)

    async def run(self) -> None:
        """Commits groups for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                group, self._waiting = self._waiting[:GROUP_LIMIT], self._waiting[GROUP_LIMIT:]
                await self._commit(group)

    async def _commit(self, group: list[_Waiting]) -> None:
        async def all_of_it(conn: Statements) -> list[Any]:
            results = [await operation(conn) for operation, _ in group]
            await self.last(conn)
            return results

        try:
            results = await self._database.run(all_of_it)
        except Exception as error:  # noqa: BLE001 - a mistake is for its caller, and not the end of all further writes
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(group, results, strict=True):
            if not future.done():
                future.set_result(result)
        self.committed()

    async def last(self, conn: Statements) -> None:
        """Within each transaction, after its operations."""

    def committed(self) -> None:
        """After each transaction, when its callers have their results."""
