"""Reading for requests what is stored: within a time, and few at a time, whatever the disk does.

Each read has a thread, which ends with it, and a connection to itself, so that it can be ended alone.  A thread that
the file system does not answer can't be ended: it keeps its place until it comes back, and so there are never more of
them than places.  None is waited for at the end of the process.
"""

import asyncio
import contextlib
import logging
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from actors.store.abortable import AbortableReader
from actors.store.direct import Operation
from actors.store.errors import StoreError, StoreLate, StoreReason
from actors.store.watch import StoreWatch

log = logging.getLogger(__name__)
T = TypeVar("T")

PATIENCE = 10.0
"""Seconds that all reads of one request may take together."""
MOST = 8
"""Reads at the same time."""
MOST_OF_ONE = 2
"""Of these, of one database: one that hangs leaves places to the others."""
KEPT: Final = frozenset({"api", "health", "recovery"})
"""Databases of which connections stay open; those of shards are many, and seldom read."""
END_PATIENCE = 1.0
"""Seconds for what is read when all ends."""


class Reads:
    """``path_of`` says where the database of a name (api, health, recovery, shard-3) is."""

    def __init__(self, path_of: Callable[[str], Path], patience: float = PATIENCE) -> None:
        self._path_of = path_of
        self._patience = patience
        self._places = asyncio.Semaphore(MOST)
        self._places_of: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(MOST_OF_ONE))
        self._idle: defaultdict[str, list[AbortableReader]] = defaultdict(list)
        self._running: dict[AbortableReader, asyncio.Future[None]] = {}
        """Also those that nobody waits for any more."""
        self._watches: dict[str, StoreWatch] = {}

    def begin(self) -> "Reading":
        """What one request reads, from now on."""
        return Reading(self, asyncio.get_running_loop().time() + self._patience)

    async def run(self, name: str, query: Operation[T], until: float) -> T:
        """See ``Reading.run``; ``until`` is a time of the event loop."""
        await self.within(name, self._take_place(name), until)
        answer = self._start(name, query)
        try:
            done, _ = await asyncio.wait({answer.value}, timeout=until - asyncio.get_running_loop().time())
        except asyncio.CancelledError:
            answer.give_up()
            raise
        if not done:
            answer.give_up()
            raise self._late(name)
        return answer.value.result()

    async def within(self, name: str, waited_for: Awaitable[T], until: float) -> T:
        """See ``Reading.within``; ``until`` is a time of the event loop."""
        try:
            async with asyncio.timeout_at(until):
                return await waited_for
        except TimeoutError:
            raise self._late(name) from None

    async def _take_place(self, name: str) -> None:
        await self._places_of[name].acquire()
        try:
            await self._places.acquire()
        except asyncio.CancelledError:
            self._places_of[name].release()
            raise

    def _start(self, name: str, query: Operation[T]) -> "_Answer[T]":
        loop = asyncio.get_running_loop()
        idle = self._idle[name]
        reader = idle.pop() if idle else AbortableReader(self._path_of(name))
        answer = _Answer[T](reader, loop.create_future())
        self._running[reader] = loop.create_future()

        def work() -> None:
            value: Any = None
            error: BaseException | None = None
            try:
                value = reader.read(query)
            except BaseException as raised:  # noqa: BLE001 - whatever it is, it is the caller's
                error = raised
            if name not in KEPT or reader.aborted or isinstance(error, StoreError):
                reader.close()
            with contextlib.suppress(RuntimeError):  # the process ends, and its loop did
                loop.call_soon_threadsafe(self._ended, name, answer, value, error)

        try:
            threading.Thread(target=work, name=f"read {name}", daemon=True).start()
        except RuntimeError:
            self._ended(name, answer, None, StoreError(reader.path, StoreReason.BUSY, "no more threads"))
        return answer

    def _ended(self, name: str, answer: "_Answer[T]", value: Any, error: BaseException | None) -> None:
        self._places_of[name].release()
        self._places.release()
        self._running.pop(answer.reader).set_result(None)
        if answer.reader.aborted:
            answer.reader.close()  # perhaps it was only after its end
        elif name in KEPT and not isinstance(error, StoreError):
            self._idle[name].append(answer.reader)
        if answer.value.done():
            return
        if error is None:
            answer.value.set_result(value)
        else:
            answer.value.set_exception(error)

    def _late(self, name: str) -> StoreLate:
        error = StoreLate(self._path_of(name), self._patience)
        self._watches.setdefault(name, StoreWatch(error.path)).tell(log, "a request could not be answered", error)
        return error

    async def close(self) -> None:
        """Ends all reads, and closes the connections."""
        for reader in self._running:
            reader.abort()
        if self._running:
            await asyncio.wait(self._running.values(), timeout=END_PATIENCE)
        for idle in self._idle.values():
            while idle:
                idle.pop().close()


class _Answer(Generic[T]):
    """What a thread comes to."""

    def __init__(self, reader: AbortableReader, value: "asyncio.Future[T]") -> None:
        self.reader = reader
        self.value = value

    def give_up(self) -> None:
        """Nobody waits for it any more."""
        if self.value.cancel():
            self.reader.abort()
        else:
            self.value.exception()  # it came meanwhile, and is no error that nobody looked at


class Reading:
    """What one request reads; all of it together has ``PATIENCE``."""

    def __init__(self, reads: Reads, until: float) -> None:
        self._reads = reads
        self._until = until

    async def run(self, name: str, query: Operation[T]) -> T:
        """Runs an operation on the database of that name, read-only.  Raises StoreError, StoreLate when time is up."""
        return await self._reads.run(name, query, self._until)

    async def within(self, name: str, waited_for: Awaitable[T]) -> T:
        """The same for what is read of that database elsewhere, and ends when it is cancelled."""
        return await self._reads.within(name, waited_for, self._until)
