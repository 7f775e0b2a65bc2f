"""Reading a database in a thread of the caller's, and ending that from another one: for who can't wait for ever."""

import contextlib
import sqlite3
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from actors.store.direct import Direct, Operation, over, transact
from actors.store.engine import connect_reader, translate

T = TypeVar("T")

LOOK_EACH = 100_000
"""Steps of SQLite's virtual machine between looks whether the read was aborted: some ten milliseconds."""


class AbortableReader:
    """One read-only connection.  One thread at a time uses it; ``abort`` may come from any other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.aborted = False
        self._raw: sqlite3.Connection | None = None
        self._full: Connection | None = None

    def read(self, operation: Operation[T]) -> T:
        """Runs an operation on one snapshot; opens the database if need be.

        Raises StoreError, also when it was aborted; then ``close`` is all that may follow.
        """
        try:
            if self._raw is None:
                self._raw = connect_reader(self.path)
                # ``interrupt`` ends what runs at that moment; this, what the operation begins after it
                self._raw.set_progress_handler(lambda: self.aborted, LOOK_EACH)
            if self._full is None:
                self._full = over(self._raw)
            return transact(operation, Direct(self._raw, self._full), "BEGIN")
        except (DBAPIError, sqlite3.Error) as error:
            raise translate(self.path, error) from error

    def abort(self) -> None:
        """Ends the read that is under way.

        A statement ends within milliseconds, a wait for a lock after ``BUSY_TIMEOUT``, a call that the file system
        does not answer when it does.
        """
        self.aborted = True
        if (raw := self._raw) is not None:
            with contextlib.suppress(sqlite3.ProgrammingError):  # it has been closed
                raw.interrupt()

    def close(self) -> None:
        """Closes the connection, if there is one, and with it a transaction that it has."""
        full, raw, self._full, self._raw = self._full, self._raw, None, None
        if full is not None:
            full.close()
            full.engine.dispose()
        if raw is not None:
            raw.close()
