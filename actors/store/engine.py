"""Opening a database: one connection that writes, or one that only reads.

Durability (https://www.sqlite.org/pragma.html): WAL with ``synchronous=FULL`` makes a transaction durable
before COMMIT returns.  Never carry a connection over a fork: open databases in the process, and after the
fork, that uses them.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, StaticPool

from actors.store.direct import Operation, carry_out
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


def translate(path: Path, error: DBAPIError | PoolTimeout) -> StoreError:
    """The StoreError for what the database refused.  SQLAlchemy's other errors are mistakes of the program."""
    if isinstance(error, PoolTimeout):
        return StoreError(path, StoreReason.BUSY, f"other tasks kept it busy for {POOL_TIMEOUT:g} s")
    return from_sqlite(path, error.orig)


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
        self._inner: Engine | None = None
        self._inner_of: sqlite3.Connection | None = None
        self._under_way: set[asyncio.Future[Any]] = set()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed at the end of the block, rolled back by an exception.

        A reader's transaction sees one snapshot of the database.
        """
        try:
            async with self._engine.begin() as conn:
                yield conn
        except (DBAPIError, PoolTimeout) as error:
            refusal = translate(self.path, error)
            self.watch.refused(refusal)
            raise refusal from error

    async def run(self, operation: Operation[T]) -> T:
        """A transaction, as ``begin``, of which all statements are carried out in one visit to the driver's thread.

        It is carried out to its end also when the caller is cancelled meanwhile.
        """
        task = asyncio.ensure_future(self._run(operation))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: "asyncio.Future[Any]") -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be left to ask for it

    async def _run(self, operation: Operation[T]) -> T:
        try:
            async with self._engine.connect() as conn:
                driver: Any = (await conn.get_raw_connection()).driver_connection
                # aiosqlite has no public way to run a function where its connection lives
                result: T = await driver._execute(self._run_there, driver._conn, operation)  # noqa: SLF001
                return result
        except (DBAPIError, PoolTimeout) as error:
            refusal = translate(self.path, error)
            self.watch.refused(refusal)
            raise refusal from error

    def _run_there(self, connection: sqlite3.Connection, operation: Operation[T]) -> T:
        if self._inner is None or self._inner_of is not connection:  # the pool may have had to make another
            self._inner_of = connection
            self._inner = create_engine(
                "sqlite://", creator=lambda: connection, poolclass=StaticPool, hide_parameters=True
            )
            _prepare(self._inner, (), self._begin)
        with self._inner.begin() as conn:
            return carry_out(operation, conn)

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
        """Closes the connection; the last writer's close also folds the WAL into the file."""
        if self._under_way:
            await asyncio.wait(self._under_way)
        await asyncio.shield(self._engine.dispose())


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
        connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT},
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


async def open_reader(path: Path) -> Database:
    """A connection that can't write, for the consumers of another process's database.  Raises StoreError."""
    return await _open(path, "ro", _READER_PRAGMAS, "BEGIN")
