"""Pauses of recovery in api.db, written by the main process."""

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.recovery.pauses import Pause
from actors.store.direct import Statements
from actors.store.tables import recovery_pauses


async def add_pause(conn: AsyncConnection, pause: Pause) -> None:
    """Stores a pause under its id."""
    values = {name: getattr(pause, name) for name in recovery_pauses.c.keys()}  # noqa: SIM118 - of columns, not a dict
    await conn.execute(insert(recovery_pauses).values(**{**values, "labels": dict(pause.labels)}))


async def end_pause(conn: AsyncConnection, id: int, who: str, now: float) -> None:
    """Somebody ended it."""
    await conn.execute(update(recovery_pauses).where(recovery_pauses.c.id == id).values(ended_at=now, ended_by=who))


async def load_pauses(conn: Statements, since: float) -> list[Pause]:
    """Those that were in effect at that time or later, oldest first."""
    end = (recovery_pauses.c.ended_at.is_(None)) | (recovery_pauses.c.ended_at > since)
    until = (recovery_pauses.c.until.is_(None)) | (recovery_pauses.c.until > since)
    query = select(recovery_pauses).where(end, until).order_by(recovery_pauses.c.id)
    return [Pause(**row) for row in (await conn.execute(query)).mappings().all()]


async def last_pause(conn: AsyncConnection) -> int:
    """The highest id that was ever given out."""
    row = await conn.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = 'recovery_pauses'")
    return int(row.scalar_one_or_none() or 0)


async def prune_pauses(conn: AsyncConnection, before: float) -> int:
    """Forgets those that were over before that time; returns how many."""
    over = or_(recovery_pauses.c.ended_at < before, recovery_pauses.c.until < before)
    return (await conn.execute(delete(recovery_pauses).where(over))).rowcount
