"""A whole transaction in one visit to the thread of its connection.

SQLAlchemy over aiosqlite hands each statement to that thread about four times, and each time wakes the loop for the
result: a hundred microseconds a time, many times what SQLite needs.  Here the thread runs an *operation*, a coroutine
function of a connection, from its first statement to its last: it is written as for an ``AsyncConnection``, and
never suspends.
"""

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, CursorResult, Executable, create_engine
from sqlalchemy.pool import StaticPool

T = TypeVar("T")


class Statements(Protocol):
    """What queries need of a connection; ``AsyncConnection`` has it too."""

    async def execute(self, statement: Executable, parameters: Any = None, /) -> CursorResult[Any]:
        """Runs a statement, with one set of parameters or a list of them; the result is held in memory."""


Operation = Callable[[Statements], Awaitable[T]]
"""Awaits nothing but its connection.  It runs in the thread of that: what it changes beside is for its caller alone."""


class Direct:
    """``Statements`` that are carried out at once.  ``full`` is SQLAlchemy's connection over ``raw``."""

    def __init__(self, raw: sqlite3.Connection, full: Connection) -> None:
        self.raw = raw
        self._full = full

    async def execute(self, statement: Executable, parameters: Any = None, /) -> CursorResult[Any]:
        """See ``Statements``."""
        return self._full.execute(statement, parameters)


def over(raw: sqlite3.Connection) -> Connection:
    """SQLAlchemy's connection over a driver's, outside of a transaction: it rolls back what it finds."""
    engine = create_engine(
        "sqlite://", creator=lambda: raw, poolclass=StaticPool, pool_reset_on_return=None, hide_parameters=True
    )
    return engine.connect()


def transact(operation: Operation[T], conn: Direct, begin: str) -> T:
    """Runs an operation as one transaction, which ``begin`` begins; none is open when this returns or raises."""
    raw = conn.raw
    raw.execute(begin)
    try:
        value = carry_out(operation, conn)
        raw.execute("COMMIT")
    except BaseException:
        if raw.in_transaction:  # SQLite itself ends it when the disk is full
            raw.execute("ROLLBACK")
        raise
    return value


def carry_out(operation: Operation[T], conn: Direct) -> T:
    """Runs an operation to its end.  Raises TypeError if it awaits something else than its connection."""

    async def run() -> T:
        return await operation(conn)

    coroutine = run()
    try:
        coroutine.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    coroutine.close()
    raise TypeError("an operation may await nothing but the connection that it is given")
