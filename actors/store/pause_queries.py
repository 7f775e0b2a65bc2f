"""Pauses of recovery in api.db, written by the main process and read by recovery."""

import math
from collections.abc import Mapping

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.recovery.pauses import Pause
from actors.store.direct import Statements
from actors.store.tables import recovery_paused, recovery_pauses


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


async def store_paused(conn: AsyncConnection, paused: Mapping[str, float]) -> None:
    """Which sessions are paused, and until when (infinity: until it is ended): all of them."""
    await conn.execute(delete(recovery_paused))
    rows = [{"session": id, "until": until if math.isfinite(until) else None} for id, until in paused.items()]
    if rows:
        await conn.execute(insert(recovery_paused), rows)


async def load_paused(conn: Statements) -> dict[str, float]:
    """As it was stored; a time that is over means: not paused any more."""
    rows = (await conn.execute(select(recovery_paused))).all()
    return {row.session: math.inf if row.until is None else row.until for row in rows}
