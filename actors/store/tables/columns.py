"""What the tables of several databases have in common."""

import json
from typing import Any

from sqlalchemy import Column, Dialect, Float, Integer, MetaData, Table, Text, TypeDecorator


class JsonText(TypeDecorator[Any]):
    """JSON in a TEXT column, compact; NaN and infinity are refused, since JSON does not know them."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Value to text."""
        if value is None:
            return None
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Text to value."""
        return None if value is None else json.loads(value)


def outbox(metadata: MetaData) -> Table:
    """What a producer tells, in its order; see `actors.store.outbox`."""
    return Table(
        "outbox",
        metadata,
        Column("seq", Integer, primary_key=True),
        Column("at", Float, nullable=False),
        Column("type", Text, nullable=False),
        Column("session", Text),
        Column("data", JsonText, nullable=False),
        sqlite_autoincrement=True,
    )


def cursor(metadata: MetaData) -> Table:
    """How far a consumer has read what others tell."""
    return Table(
        "cursor",
        metadata,
        Column("name", Text, primary_key=True),
        Column("position", Integer, nullable=False),
    )
