"""In shard-N.db: which inbound messages were told already, so that one the server repeats is told once.

Of each is kept a digest: the outbox, which holds who wrote, is pruned sooner.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from sqlalchemy import ColumnClause, column, delete, select, table
from sqlalchemy.dialects.sqlite import insert

from actors.store import cursors
from actors.store.direct import Statements
from actors.store.engine import Database
from actors.store.prepared import Prepared, change
from actors.store.tables import inbound_seen

REMEMBERED: Final = 30 * 86400.0
"""Seconds: WhatsApp's server keeps what it could not deliver for 30 days."""
_DIGEST_BYTES: Final = 16
_NOTE = Prepared(insert(inbound_seen).on_conflict_do_nothing(), ("session", "digest", "at"))


async def first_time(conn: Statements, session: str, names: Sequence[str], at: float) -> bool:
    """Notes a message, within the transaction that tells of it; False if it was noted before.

    ``names`` tell it from others of its session: from whom, who wrote in a group, its id.  ``at``: seconds since 1970.
    """
    digest = blake2b(digest_size=_DIGEST_BYTES)
    for name in names:
        encoded = name.encode()
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return bool(await change(conn, _NOTE, {"session": session, "digest": digest.digest(), "at": at}))


@dataclass(frozen=True, slots=True)
class Seen:
    """A message that was told."""

    digest: bytes
    at: float
    """Seconds since 1970."""


async def is_kept(conn: Statements) -> bool:
    """Whether the database has a place for it; one that nobody has set up yet was told nothing."""
    name: ColumnClause[str] = column("name")
    found = select(name).select_from(table("sqlite_master")).where(name == inbound_seen.name)
    return (await conn.execute(found)).first() is not None


async def seen_since(conn: Statements, session: str, since: float) -> list[Seen]:
    """What was told of a session from that time on."""
    query = select(inbound_seen.c.digest, inbound_seen.c.at).where(inbound_seen.c.session == session)
    rows = (await conn.execute(query.where(inbound_seen.c.at >= since))).all()
    return [Seen(row.digest, row.at) for row in rows]


async def inherit(conn: Statements, session: str, seen: Sequence[Seen], moves: int) -> None:
    """Takes over what was told of a session elsewhere, before the move of that number brought it here."""
    if seen:
        await change(conn, _NOTE, *({"session": session, "digest": each.digest, "at": each.at} for each in seen))
    await cursors.set_cursor(conn, _moves_of(session), moves)


async def inherited(conn: Statements, session: str) -> int:
    """The number of the move that was taken into account last; 0 if none was."""
    return await cursors.get_cursor(conn, _moves_of(session))


def _moves_of(session: str) -> str:
    return f"inbound.moves.{session}"


async def forget_session(conn: Statements, session: str) -> None:
    """Of a session that is no more."""
    await conn.execute(delete(inbound_seen).where(inbound_seen.c.session == session))
    await forget_moves(conn, session)


async def forget_moves(conn: Statements, session: str) -> None:
    """Of a session that left: its moves are counted anew when it is removed and made again."""
    await cursors.forget_cursor(conn, _moves_of(session))


async def prune(database: Database, before: float, batch: int = 500) -> int:
    """Forgets what came before that time; returns how many.  ``batch`` in one transaction."""
    deleted = 0
    while True:
        async with database.begin() as conn:
            columns = (inbound_seen.c.session, inbound_seen.c.digest)
            rows = (await conn.execute(select(*columns).where(inbound_seen.c.at < before).limit(batch))).all()
            for row in rows:
                at = (inbound_seen.c.session == row.session, inbound_seen.c.digest == row.digest)
                await conn.execute(delete(inbound_seen).where(*at))
        deleted += len(rows)
        if len(rows) < batch:
            return deleted
