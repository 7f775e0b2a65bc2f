"""Opening a database: one connection that writes, or one that only reads.

Durability (https://www.sqlite.org/pragma.html): WAL with ``synchronous=FULL`` makes a transaction durable
before COMMIT returns.  Never carry a connection over a fork: open databases in the process, and after the
fork, that uses them.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import quote

import aiosqlite  # noqa: F401 - SQLAlchemy imports it when it is first used: in each of the forks, each for itself
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, StaticPool

from actors.store.direct import Direct, Operation, over, transact
from actors.store.errors import StoreError, StoreReason, from_sqlite
from actors.store.watch import PROBE, PROBE_PERIOD, StoreWatch

T = TypeVar("T")

BUSY_TIMEOUT = 5.0
"""Seconds to wait for another process's lock; only backups and checkpoints ever hold one."""

POOL_TIMEOUT = 30.0
"""Seconds that a task waits for the one connection while others use it."""

_WRITER_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",
)
_READER_PRAGMAS = ("PRAGMA query_only=ON", "PRAGMA foreign_keys=ON")


def translate(path: Path, error: DBAPIError | PoolTimeout | sqlite3.Error) -> StoreError:
    """The StoreError for what the database refused.  SQLAlchemy's other errors are mistakes of the program."""
    if isinstance(error, PoolTimeout):
        return StoreError(path, StoreReason.BUSY, f"other tasks kept it busy for {POOL_TIMEOUT:g} s")
    return from_sqlite(path, error.orig if isinstance(error, DBAPIError) else error)


class Database:
    """One connection to one database; tasks that use it at the same time wait for each other.

    ``async with await open_writer(path) as database`` closes it by itself.  A transaction is
    ``async with database.begin() as conn``, or ``await database.run(operation)``, which is several times cheaper.  They
    raise StoreError (StoreFull when the disk is full) for whatever SQLite refuses, also at COMMIT; then nothing of it
    was stored.  Never begin one inside another: the inner would wait for the outer.
    """

    def __init__(self, path: Path, engine: AsyncEngine, begin: str) -> None:
        self.path = path
        self.watch = StoreWatch(path)
        self._engine = engine
        self._begin = begin
        self._turn = asyncio.Lock()
        """Held while a transaction is under way that visits the driver's thread for each statement."""
        self._driver: Any = None
        self._full: Connection | None = None
        self._full_of: sqlite3.Connection | None = None

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed at the end of the block, rolled back by an exception.

        A reader's transaction sees one snapshot of the database.
        """
        with self._translated():
            async with self._alone(), self._engine.begin() as conn:
                yield conn

    async def run(self, operation: Operation[T]) -> T:
        """A transaction, as ``begin``, of which all statements are carried out in one visit to the driver's thread.

        It is carried out to its end also when the caller is cancelled meanwhile: it waits in that thread's own queue.
        """
        with self._translated():
            if self._turn.locked():
                async with self._alone():
                    return await self._visit(operation)
            return await self._visit(operation)

    async def _visit(self, operation: Operation[T]) -> T:
        if self._driver is None or self._driver._connection is None:  # noqa: SLF001 - the pool had to close it
            async with self._engine.connect() as conn:
                self._driver = (await conn.get_raw_connection()).driver_connection
        driver = self._driver
        # aiosqlite has no public way to run a function where its connection lives
        result: T = await driver._execute(self._carry_out, driver._conn, operation)  # noqa: SLF001
        return result

    def _carry_out(self, raw: sqlite3.Connection, operation: Operation[T]) -> T:
        """In the driver's thread."""
        if self._full is None or self._full_of is not raw:
            self._full, self._full_of = over(raw), raw
        return transact(operation, Direct(raw, self._full), self._begin)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(POOL_TIMEOUT):
                await self._turn.acquire()
        except TimeoutError:
            raise PoolTimeout from None
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, PoolTimeout, sqlite3.Error) as error:
            refusal = translate(self.path, error)
            self.watch.refused(refusal)
            raise refusal from error

    async def keep_probing(self) -> None:
        """For a writer: notices, for ever, that what refused takes writes again, also with nothing to write."""
        while True:
            await asyncio.sleep(PROBE_PERIOD)
            if self.watch.trouble is not None and self.watch.has_room():
                with contextlib.suppress(StoreError):
                    async with self.begin() as conn:
                        await conn.exec_driver_sql(PROBE)
                    self.watch.works()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection, after what was begun; the last writer's close also folds the WAL into the file."""
        await asyncio.shield(self._engine.dispose())


class _Connection(sqlite3.Connection):
    """Ends its transaction when it is closed.

    A cursor that somebody still refers to, such as that of a task that was cancelled amid a statement, keeps a closed
    connection alive in SQLite, and its transaction with all locks (https://www.sqlite.org/c3ref/close.html, "zombie").
    """

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # it is closed already, or the disk fails: there is no more to do
            if self.in_transaction:
                self.execute("ROLLBACK")
        super().close()


def uri(path: Path, mode: str) -> str:
    """The SQLite URI of a file, whatever characters its name has; mode is ro, rw or rwc."""
    return f"file:{quote(str(path.absolute()))}?mode={mode}&uri=true"


def _prepare(engine: Engine, pragmas: tuple[str, ...], begin: str) -> None:
    @event.listens_for(engine, "connect")
    def connect(dbapi_connection: Any, _record: object) -> None:
        cursor = dbapi_connection.cursor()
        try:
            for pragma in pragmas:
                cursor.execute(pragma)
                cursor.fetchall()
        finally:
            cursor.close()

    # The driver's own transaction handling is off (isolation_level None): it would begin late and deferred,
    # and a deferred transaction that turns into a writing one can fail with BUSY in its middle.
    @event.listens_for(engine, "begin")
    def start(conn: Connection) -> None:
        conn.exec_driver_sql(begin)


def sync_writer(path: Path) -> Engine:
    """A writing engine without asyncio: for migrations, and for a thread that owns its database.

    It has a single connection, made by the thread that uses it first.
    """
    engine = create_engine(
        f"sqlite:///{uri(path, 'rw')}",
        connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT, "check_same_thread": False},
        poolclass=StaticPool,
        hide_parameters=True,
    )
    _prepare(engine, _WRITER_PRAGMAS, "BEGIN IMMEDIATE")
    return engine


def sync_reader(path: Path) -> Engine:
    """A read-only engine without asyncio; it changes nothing in the file."""
    engine = create_engine(
        f"sqlite:///{uri(path, 'ro')}",
        connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT, "check_same_thread": False},
        poolclass=StaticPool,
        hide_parameters=True,
    )
    _prepare(engine, _READER_PRAGMAS, "BEGIN")
    return engine


async def _open(path: Path, mode: str, pragmas: tuple[str, ...], begin: str) -> Database:
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{uri(path, mode)}",
        connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT, "factory": _Connection},
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT,
        hide_parameters=True,
    )
    _prepare(engine.sync_engine, pragmas, begin)
    database = Database(path, engine, begin)
    try:
        async with database.begin() as conn:
            # BEGIN alone may read nothing; a file that is no database is refused now, not at the first query.
            await conn.exec_driver_sql("PRAGMA schema_version")
    except BaseException:
        await database.close()
        raise
    return database


async def open_writer(path: Path) -> Database:
    """The one connection that writes a migrated database.  Raises StoreError."""
    return await _open(path, "rw", _WRITER_PRAGMAS, "BEGIN IMMEDIATE")


def connect_reader(path: Path) -> sqlite3.Connection:
    """The driver's own connection that can't write, for any thread, one at a time.  Nothing is read of the file yet."""
    raw = sqlite3.connect(
        uri(path, "ro"),
        uri=True,
        isolation_level=None,
        timeout=BUSY_TIMEOUT,
        check_same_thread=False,
        factory=_Connection,
    )
    for pragma in _READER_PRAGMAS:
        raw.execute(pragma)
    return raw


async def open_reader(path: Path) -> Database:
    """A connection that can't write, for the consumers of another process's database.  Raises StoreError."""
    return await _open(path, "ro", _READER_PRAGMAS, "BEGIN")
