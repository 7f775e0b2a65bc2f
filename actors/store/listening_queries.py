"""health.db: rhythms, canaries and what they taught, and the key by which a canary is known from other messages."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Table, delete, select
from sqlalchemy.dialects.sqlite import insert

from actors.store.direct import Statements
from actors.store.records import Canary
from actors.store.tables import canaries, canary_memories, health_meta, rhythms

CANARY_KEY: Final = "canary_key"


async def store_rhythms(conn: Statements, stored: Mapping[str, bytes]) -> None:
    """Stores rhythms as they are dumped, by session."""
    if not stored:
        return
    statement = insert(rhythms)
    upsert = statement.on_conflict_do_update(
        index_elements=[rhythms.c.session], set_={"data": statement.excluded["data"]}
    )
    await conn.execute(upsert, [{"session": session, "data": data} for session, data in stored.items()])


async def load_rhythms(conn: Statements) -> dict[str, bytes]:
    """All of them."""
    return {row.session: row.data for row in (await conn.execute(select(rhythms))).all()}


async def forget_strangers(conn: Statements, known: Collection[str]) -> set[str]:
    """Rhythms and memories of sessions that are not known any more; returns whose."""
    return await _forget(conn, rhythms, known) | await _forget(conn, canary_memories, known)


async def _forget(conn: Statements, of: Table, known: Collection[str]) -> set[str]:
    gone = set((await conn.execute(select(of.c.session))).scalars().all()) - set(known)
    for session in gone:
        await conn.execute(delete(of).where(of.c.session == session))
    return gone


async def store_canaries(conn: Statements, changed: Iterable[Canary]) -> None:
    """Adds and updates."""
    rows = [
        {
            "id": one.id,
            "sender": one.sender,
            "receiver": one.receiver,
            "at": one.at,
            "accepted_at": one.accepted_at,
            "ended_at": one.ended_at,
            "outcome": one.outcome,
            "shard": one.shard,
            "read_upto": one.read_upto,
        }
        for one in changed
    ]
    if rows:
        statement = insert(canaries)
        news = {name: statement.excluded[name] for name in ("accepted_at", "ended_at", "outcome")}
        await conn.execute(statement.on_conflict_do_update(index_elements=[canaries.c.id], set_=news), rows)


async def load_canaries(conn: Statements, since: float) -> list[Canary]:
    """Those begun after ``since`` (seconds since 1970), oldest first."""
    query = select(canaries).where(canaries.c.at > since).order_by(canaries.c.at)
    return [Canary(**row) for row in (await conn.execute(query)).mappings().all()]


async def store_memories(conn: Statements, changed: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Stores what canaries taught, by session; None forgets it."""
    for session in [session for session, data in changed.items() if data is None]:
        await conn.execute(delete(canary_memories).where(canary_memories.c.session == session))
    rows = [{"session": session, "data": dict(data)} for session, data in changed.items() if data is not None]
    if rows:
        statement = insert(canary_memories)
        news = {"data": statement.excluded["data"]}
        await conn.execute(statement.on_conflict_do_update(index_elements=[canary_memories.c.session], set_=news), rows)


async def load_memories(conn: Statements) -> dict[str, Any]:
    """What canaries taught, by session."""
    return {row.session: row.data for row in (await conn.execute(select(canary_memories))).all()}


async def prune_canaries(conn: Statements, before: float) -> None:
    """Forgets those begun before."""
    await conn.execute(delete(canaries).where(canaries.c.at < before))


async def canary_key(conn: Statements) -> bytes | None:
    """The key, once there is one."""
    query = select(health_meta.c.value).where(health_meta.c.key == CANARY_KEY)
    value: bytes | None = (await conn.execute(query)).scalar_one_or_none()
    return value


async def keep_canary_key(conn: Statements, new: bytes) -> bytes:
    """The key; ``new`` if there was none."""
    await conn.execute(insert(health_meta).values(key=CANARY_KEY, value=new).on_conflict_do_nothing())
    return await canary_key(conn) or new
