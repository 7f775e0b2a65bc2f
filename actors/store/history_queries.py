"""health.db, the history: rows of packed data by bucket of time and number of session, in four levels.

A bucket is a number of minutes (of ``RAW`` and ``MINUTE``), hours or days since 1970.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Table, and_, delete, func, literal, select, update
from sqlalchemy.dialects.sqlite import insert

from actors.store.direct import Statements
from actors.store.tables import (
    history_days,
    history_hours,
    history_levels,
    history_minutes,
    history_raw,
    history_sessions,
)


class Level(StrEnum):
    """How fine the rows of a table are."""

    RAW = "raw"
    """What was observed, a row a minute."""
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


WIDTHS: Mapping[Level, int] = {Level.RAW: 60, Level.MINUTE: 60, Level.HOUR: 3600, Level.DAY: 86_400}
"""Seconds of a bucket."""
TABLES: Mapping[Level, Table] = {
    Level.RAW: history_raw,
    Level.MINUTE: history_minutes,
    Level.HOUR: history_hours,
    Level.DAY: history_days,
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a level is."""

    upto: int
    """Buckets before this one are complete: what comes for them later sets it back."""
    part: int = 0
    """Sessions with a lower number are done in the bucket ``upto``, too."""
    kept_from: int = 0
    """Buckets before this one are no longer whole, since they were pruned."""
    rows: int = 0


Row = tuple[int, int, bytes]
"""Bucket, number of the session, packed data."""


async def load_levels(conn: Statements) -> dict[Level, Progress]:
    """How far each level is; those of which nothing is written yet are not in it."""
    rows = (await conn.execute(select(history_levels))).all()
    return {Level(row.level): Progress(row.upto, row.part, row.kept_from, row.rows) for row in rows}


async def store_level(conn: Statements, level: Level, progress: Progress) -> None:
    """How far a level is now."""
    values = {
        "upto": progress.upto,
        "part": progress.part,
        "kept_from": progress.kept_from,
        "rows": progress.rows,
    }
    statement = insert(history_levels).values(level=level, **values)
    await conn.execute(statement.on_conflict_do_update(index_elements=[history_levels.c.level], set_=values))


async def numbers(conn: Statements) -> dict[str, int]:
    """The number of each session that is not gone."""
    query = select(history_sessions.c.session, history_sessions.c.number).where(history_sessions.c.gone_at.is_(None))
    return {row.session: row.number for row in (await conn.execute(query)).all()}


async def number_of(conn: Statements, session: str) -> int | None:
    """The number of a session; None if nothing is written of it."""
    query = select(history_sessions.c.number).where(
        and_(history_sessions.c.session == session, history_sessions.c.gone_at.is_(None))
    )
    found: int | None = (await conn.execute(query)).scalar_one_or_none()
    return found


async def add_sessions(conn: Statements, sessions: Iterable[str]) -> None:
    """Gives numbers to sessions that have none; a number is never given twice."""
    rows = [{"session": session} for session in sessions]
    if rows:
        await conn.execute(insert(history_sessions), rows)


async def mark_gone(conn: Statements, sessions: Sequence[str], at: float) -> None:
    """These sessions are no more: their names are free again, their rows are for ``purge``."""
    for session in sessions:
        gone = and_(history_sessions.c.session == session, history_sessions.c.gone_at.is_(None))
        await conn.execute(update(history_sessions).where(gone).values(gone_at=at))


async def gone(conn: Statements) -> list[int]:
    """Numbers of sessions that are no more, and may have rows still."""
    query = select(history_sessions.c.number).where(history_sessions.c.gone_at.is_not(None))
    return list((await conn.execute(query)).scalars().all())


async def forget_numbers(conn: Statements, gone: Sequence[int]) -> None:
    """Nothing is left of these."""
    await conn.execute(delete(history_sessions).where(history_sessions.c.number.in_(gone)))


async def highest_number(conn: Statements) -> int:
    """Of all sessions; 0 without any."""
    return int((await conn.execute(select(func.max(history_sessions.c.number)))).scalar_one() or 0)


async def upsert(conn: Statements, level: Level, rows: Sequence[Row]) -> None:
    """Stores rows in place of those of the same bucket and session."""
    if rows:
        statement = insert(TABLES[level])
        same = [TABLES[level].c.bucket, TABLES[level].c.session]
        await conn.execute(
            statement.on_conflict_do_update(index_elements=same, set_={"data": statement.excluded.data}),
            [{"bucket": bucket, "session": session, "data": data} for bucket, session, data in rows],
        )


async def rows_between(
    conn: Statements, level: Level, first: int, last: int, sessions: tuple[int, int] | None = None
) -> list[Row]:
    """Rows of the buckets ``first`` to ``last``, both included, in order; of all sessions or of a range of numbers."""
    table = TABLES[level]
    query = select(table.c.bucket, table.c.session, table.c.data).where(table.c.bucket.between(first, last))
    if sessions is not None:
        query = query.where(table.c.session.between(*sessions))
    ordered = query.order_by(table.c.bucket, table.c.session)
    return [(row.bucket, row.session, row.data) for row in (await conn.execute(ordered)).all()]


async def of_session(conn: Statements, level: Level, session: int, first: int, last: int) -> list[tuple[int, bytes]]:
    """One session's rows of the buckets ``first`` to ``last``: each is looked up, whatever lies between them."""
    if first > last:
        return []
    table = TABLES[level]
    buckets = select(literal(first).label("bucket")).cte("buckets", recursive=True)
    buckets = buckets.union_all(select(buckets.c.bucket + 1).where(buckets.c.bucket < last))
    data = (
        select(table.c.data)
        .where(and_(table.c.bucket == buckets.c.bucket, table.c.session == session))
        .scalar_subquery()
        .label("data")
    )
    rows = (await conn.execute(select(buckets.c.bucket, data))).all()
    return [(row.bucket, row.data) for row in rows if row.data is not None]


async def first_bucket(conn: Statements, level: Level, since: int = 0) -> int | None:
    """The first bucket from ``since`` on that has rows."""
    column = TABLES[level].c.bucket
    found: int | None = (await conn.execute(select(func.min(column)).where(column >= since))).scalar_one()
    return found


async def last_bucket(conn: Statements, level: Level) -> int | None:
    """The last bucket that has rows."""
    found: int | None = (await conn.execute(select(func.max(TABLES[level].c.bucket)))).scalar_one()
    return found


async def delete_before(conn: Statements, level: Level, bucket: int) -> int:
    """Deletes the rows before a bucket; returns how many."""
    table = TABLES[level]
    return (await conn.execute(delete(table).where(table.c.bucket < bucket))).rowcount


async def delete_sessions(conn: Statements, level: Level, sessions: Sequence[int], first: int, last: int) -> int:
    """Deletes what these sessions have in the buckets ``first`` to ``last``; returns how many rows."""
    table = TABLES[level]
    within = and_(table.c.bucket.between(first, last), table.c.session.in_(sessions))
    return (await conn.execute(delete(table).where(within))).rowcount
