"""Interventions in api.db, counted by the hour: what operators did, and what healed by itself."""

from collections.abc import Mapping

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.store.direct import Statements
from actors.store.tables import interventions

HOUR = 3600
"""Seconds."""

Counts = Mapping[tuple[str, str], int]
"""(origin, action) -> how many"""

_INSERT = insert(interventions)
_ADD = _INSERT.on_conflict_do_update(
    index_elements=[interventions.c.hour, interventions.c.origin, interventions.c.action],
    set_={"count": interventions.c.count + _INSERT.excluded.count},
)


async def add(conn: AsyncConnection, counts: Counts, at: float) -> None:
    """Counts them in the hour of ``at``."""
    await _add(conn, counts, int(at // HOUR))


async def _add(conn: AsyncConnection, counts: Counts, hour: int) -> None:
    rows = [
        {"hour": hour, "origin": origin, "action": action, "count": count}
        for (origin, action), count in counts.items()
        if count > 0
    ]
    if rows:
        await conn.execute(_ADD, rows)


async def total(conn: Statements, since: float | None = None) -> dict[tuple[str, str], int]:
    """All that were ever counted, or those of the hour of ``since`` and later."""
    query = select(interventions.c.origin, interventions.c.action, func.sum(interventions.c.count).label("number"))
    if since is not None:
        query = query.where(interventions.c.hour >= int(since // HOUR))
    rows = (await conn.execute(query.group_by(interventions.c.origin, interventions.c.action))).all()
    return {(row.origin, row.action): int(row.number) for row in rows}


async def fold(conn: AsyncConnection, before: float) -> None:
    """Adds up the hours before that time in hour 0: the totals stay."""
    last = int(before // HOUR)
    old = interventions.c.hour.between(1, last - 1)
    query = select(interventions.c.origin, interventions.c.action, func.sum(interventions.c.count)).where(old)
    rows = await conn.execute(query.group_by(interventions.c.origin, interventions.c.action))
    counts = {(row[0], row[1]): int(row[2]) for row in rows}
    if counts:
        await _add(conn, counts, 0)
        await conn.execute(delete(interventions).where(old))
