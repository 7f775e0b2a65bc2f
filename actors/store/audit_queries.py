"""The audit log in api.db, written by the main process."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.store.direct import Statements
from actors.store.engine import Database
from actors.store.records import AuditEntry
from actors.store.tables import audit


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries; None for all."""

    since: float | None = None
    """At this time or later, seconds since 1970."""
    until: float | None = None
    """Before this time."""
    who: str | None = None
    action: str | None = None
    """An action, or the first part of several: ``session`` has ``session.start`` and the like."""
    target: str | None = None


async def add_audit(conn: AsyncConnection, entry: AuditEntry) -> int:
    """Records who did what; returns the entry's number."""
    statement = insert(audit).values(
        at=entry.at,
        who=entry.who,
        action=entry.action,
        target=entry.target,
        detail=dict(entry.detail),
        role=entry.role,
        remote=entry.remote,
        outcome=entry.outcome,
    )
    return int((await conn.execute(statement.returning(audit.c.seq))).scalar_one())


async def finish_audit(conn: AsyncConnection, seq: int, outcome: str, detail: Mapping[str, Any]) -> None:
    """Says how it went."""
    await conn.execute(update(audit).where(audit.c.seq == seq).values(outcome=outcome, detail=dict(detail)))


async def drop_audit(conn: AsyncConnection, seq: int) -> None:
    """Takes an entry back, of what was refused once too often."""
    await conn.execute(delete(audit).where(audit.c.seq == seq))


def _matching(wanted: AuditFilter) -> Select[Any]:
    query = select(audit)
    if wanted.since is not None:
        query = query.where(audit.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(audit.c.at < wanted.until)
    if wanted.who is not None:
        query = query.where(audit.c.who == wanted.who)
    if wanted.action is not None:
        below = audit.c.action.startswith(f"{wanted.action}.", autoescape=True)
        query = query.where((audit.c.action == wanted.action) | below)
    if wanted.target is not None:
        query = query.where(audit.c.target == wanted.target)
    return query


async def load_audit(
    conn: Statements, limit: int, before: int | None = None, wanted: AuditFilter | None = None
) -> list[tuple[int, AuditEntry]]:
    """The latest entries that match, newest first, with their numbers; ``before`` pages on."""
    query = _matching(wanted or AuditFilter()).order_by(audit.c.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.seq < before)
    return [
        (
            row.seq,
            AuditEntry(row.at, row.who, row.action, row.target, row.detail, row.role, row.remote, row.outcome),
        )
        for row in await conn.execute(query)
    ]


async def prune_audit(database: Database, before: float, batch: int = 500) -> int:
    """Deletes entries made before that time, ``batch`` in one transaction; returns how many.  Raises StoreError."""
    deleted = 0
    while True:
        async with database.begin() as conn:
            old = select(audit.c.seq).where(audit.c.at < before).order_by(audit.c.at).limit(batch)
            count = (await conn.execute(delete(audit).where(audit.c.seq.in_(old)))).rowcount
        deleted += count
        if count < batch:
            return deleted
