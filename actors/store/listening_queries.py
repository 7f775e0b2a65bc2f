"""health.db: rhythms of sessions, canaries, and the key by which a canary is known from other messages."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert

from actors.store.direct import Statements
from actors.store.records import Canary
from actors.store.tables import canaries, health_meta, rhythms

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


async def forget_rhythms(conn: Statements, known: Collection[str]) -> set[str]:
    """Those of sessions that are not known any more; returns whose."""
    gone = set((await conn.execute(select(rhythms.c.session))).scalars().all()) - set(known)
    for session in gone:
        await conn.execute(delete(rhythms).where(rhythms.c.session == session))
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
