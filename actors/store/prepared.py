"""Statements that are compiled once: for what is done for each message.

SQLAlchemy builds, hashes and wraps each statement anew, which costs some hundred microseconds where SQLite needs ten.
A prepared one is written with SQLAlchemy as all others, and carried out by the driver.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Delete, Insert, Select, Update
from sqlalchemy.dialects import sqlite

from actors.store.direct import Direct, Statements

_DIALECT: Final = sqlite.dialect(paramstyle="qmark")
_Code = Callable[[Any], Any] | None


class Prepared:
    """``statement`` as SQL, with parameters by name.  Of an INSERT, ``columns`` are those that are given."""

    def __init__(self, statement: Select[Any] | Insert | Update | Delete, columns: Sequence[str] | None = None) -> None:
        compiled: Any = statement.compile(dialect=_DIALECT, column_keys=columns)
        self.statement = statement
        self.sql = str(compiled)
        self.fields: tuple[str, ...] = ()
        """Names of what a query gives."""
        self._binds: list[tuple[str, Any, _Code]] = [
            (name, bind.value, bind.type.dialect_impl(_DIALECT).bind_processor(_DIALECT))
            for name, bind in ((name, compiled.binds[name]) for name in compiled.positiontup or ())
        ]
        self._constants = frozenset(name for name, bind in compiled.binds.items() if not bind.required)
        self._results: list[_Code] = []
        if isinstance(statement, Select):
            chosen = statement.selected_columns
            self.fields = tuple(str(column.key) for column in chosen)
            self._results = [column.type.dialect_impl(_DIALECT).result_processor(_DIALECT, None) for column in chosen]

    def encoded(self, parameters: Mapping[str, Any]) -> list[Any]:
        """The parameters as the driver takes them, in its order."""
        values = []
        for name, constant, encode in self._binds:
            value = constant if name in self._constants else parameters[name]
            values.append(value if encode is None else encode(value))
        return values

    def decoded(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """A row as the driver gives it, as values."""
        return tuple(
            value if decode is None else decode(value) for value, decode in zip(row, self._results, strict=True)
        )


async def fetch(conn: Statements, query: Prepared, **parameters: Any) -> Sequence[Sequence[Any]]:
    """The rows of a query, each a sequence in the order of its ``fields``."""
    if isinstance(conn, Direct):
        rows = conn.raw.execute(query.sql, query.encoded(parameters)).fetchall()
        return [query.decoded(row) for row in rows]
    return (await conn.execute(query.statement, parameters)).all()


async def change(conn: Statements, statement: Prepared, *parameters: Mapping[str, Any]) -> int:
    """Carries out a statement once for each set of parameters; returns how many rows it changed."""
    if isinstance(conn, Direct):
        if len(parameters) == 1:
            return conn.raw.execute(statement.sql, statement.encoded(parameters[0])).rowcount
        return conn.raw.executemany(statement.sql, [statement.encoded(each) for each in parameters]).rowcount
    return (await conn.execute(statement.statement, [dict(each) for each in parameters])).rowcount
