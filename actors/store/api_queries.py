"""api.db, written by the main process: API-made sessions, the operator's wishes, placement, sends."""

from collections.abc import Collection, Mapping

from sqlalchemy import Integer, bindparam, cast, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.store.direct import Statements
from actors.store.engine import Database
from actors.store.prepared import Prepared, change, fetch
from actors.store.records import Desired, StoredSend, StoredSession
from actors.store.tables import desired, meta, placement, sends, sessions

_ADD_SEND = Prepared(insert(sends).on_conflict_do_nothing(), ("session", "id", "to_jid", "text", "created_at"))
_FIND_SEND = Prepared(
    select(sends, (sends.c.seq <= func.coalesce(placement.c.sends_after, 0)).label("elsewhere"))
    .join(placement, placement.c.session == sends.c.session, isouter=True)
    .where(sends.c.session == bindparam("of"), sends.c.id == bindparam("known_as"))
)
_NEW_SENDS = Prepared(
    select(sends)
    .join(placement, placement.c.session == sends.c.session)
    .where(
        placement.c.shard == bindparam("of"), sends.c.seq > bindparam("after"), sends.c.seq > placement.c.sends_after
    )
    .order_by(sends.c.seq)
    .limit(bindparam("most"))
)


async def next_boot(conn: AsyncConnection) -> int:
    """Counts the starts of the daemon: 1, 2, ..."""
    statement = insert(meta).values(key="boot", value="1")
    counted = statement.on_conflict_do_update(
        index_elements=[meta.c.key], set_={"value": cast(meta.c.value, Integer) + 1}
    )
    await conn.execute(counted)
    return int(await get_meta(conn, "boot") or 0)


async def get_meta(conn: AsyncConnection, key: str) -> str | None:
    """A value by name."""
    return (await conn.execute(select(meta.c.value).where(meta.c.key == key))).scalar_one_or_none()


async def set_meta(conn: AsyncConnection, key: str, value: str) -> None:
    """Sets a value by name."""
    statement = insert(meta).values(key=key, value=value)
    await conn.execute(
        statement.on_conflict_do_update(index_elements=[meta.c.key], set_={"value": statement.excluded.value})
    )


async def add_session(conn: AsyncConnection, session: StoredSession) -> bool:
    """Adds a session; False if the id is taken."""
    statement = insert(sessions).values(
        id=session.id,
        connector=session.connector,
        labels=dict(session.labels),
        created_at=session.created_at,
        proxy=session.proxy,
    )
    return (await conn.execute(statement.on_conflict_do_nothing())).rowcount == 1


async def set_labels(conn: AsyncConnection, session: str, labels: Mapping[str, str]) -> bool:
    """Replaces a session's labels; False if there is no such session."""
    statement = update(sessions).where(sessions.c.id == session).values(labels=dict(labels))
    return (await conn.execute(statement)).rowcount == 1


async def set_proxy(conn: AsyncConnection, session: str, proxy: str | None) -> bool:
    """Gives a session another proxy, or none; False if there is no such session."""
    return (await conn.execute(update(sessions).where(sessions.c.id == session).values(proxy=proxy))).rowcount == 1


async def remove_session(conn: AsyncConnection, session: str) -> bool:
    """Forgets an API-made session with its placement, its wish and its sends; the audit log stays.

    A send that is not there is never handed over: not even when a session of that id is made again.
    """
    await conn.execute(delete(desired).where(desired.c.session == session))
    await conn.execute(delete(placement).where(placement.c.session == session))
    await conn.execute(delete(sends).where(sends.c.session == session))
    return (await conn.execute(delete(sessions).where(sessions.c.id == session))).rowcount == 1


async def load_sessions(conn: AsyncConnection) -> list[StoredSession]:
    """All API-made sessions, oldest first."""
    rows = await conn.execute(select(sessions).order_by(sessions.c.created_at, sessions.c.id))
    return [StoredSession(row.id, row.connector, row.labels, row.created_at, row.proxy) for row in rows.all()]


async def set_desired(conn: AsyncConnection, wish: Desired) -> None:
    """Stores whether a session should run."""
    statement = insert(desired).values(
        session=wish.session, enabled=wish.enabled, changed_at=wish.changed_at, who=wish.who
    )
    excluded = statement.excluded
    await conn.execute(
        statement.on_conflict_do_update(
            index_elements=[desired.c.session],
            set_={"enabled": excluded.enabled, "changed_at": excluded.changed_at, "who": excluded.who},
        )
    )


async def load_desired(conn: AsyncConnection) -> dict[str, Desired]:
    """The wishes by session; a session without one runs as configured."""
    rows = await conn.execute(select(desired))
    return {row.session: Desired(row.session, row.enabled, row.changed_at, row.who) for row in rows.all()}


async def forget_desired(conn: AsyncConnection, void: Collection[str]) -> None:
    """Forgets wishes that the configuration overruled."""
    if void:
        await conn.execute(delete(desired).where(desired.c.session.in_(list(void))))


async def load_placement(conn: Statements) -> dict[str, tuple[str, int]]:
    """Session -> (connector, shard)."""
    rows = await conn.execute(select(placement))
    return {row.session: (row.connector, row.shard) for row in rows.all()}


async def store_placement(conn: AsyncConnection, places: Mapping[str, tuple[str, int]]) -> None:
    """Adds and moves; sessions that are not named stay where they are.

    What a session was given to send before it moved is the old shard's: handed over by both, it would reach its
    recipients twice, under two message ids.
    """
    if not places:
        return
    accepted = int((await conn.execute(select(func.coalesce(func.max(sends.c.seq), 0)))).scalar_one())
    statement = insert(placement)
    excluded = statement.excluded
    changes = {name: excluded[name] for name in ("connector", "shard", "sends_after")}
    upsert = statement.on_conflict_do_update(
        index_elements=[placement.c.session], set_={**changes, "moves": placement.c.moves + 1}
    )
    await conn.execute(
        upsert,
        [
            {"session": id_, "connector": connector, "shard": shard, "sends_after": accepted}
            for id_, (connector, shard) in places.items()
        ],
    )


async def moves(conn: Statements, shard: int) -> dict[str, int]:
    """How often the sessions of a shard have moved, without those that never did."""
    query = select(placement.c.session, placement.c.moves).where(placement.c.shard == shard, placement.c.moves > 0)
    return {row.session: row.moves for row in (await conn.execute(query)).all()}


async def forget_placement(conn: AsyncConnection, gone: Collection[str]) -> None:
    """Frees the places of sessions that are no more."""
    if gone:
        await conn.execute(delete(placement).where(placement.c.session.in_(list(gone))))


async def add_send(
    conn: Statements, session: str, send_id: str, to_jid: str, text: str, now: float
) -> tuple[StoredSend, bool]:
    """Accepts a send; the flag is False when the id was known, and then the record is the first one's."""
    row = {"session": session, "id": send_id, "to_jid": to_jid, "text": text, "created_at": now}
    added = await change(conn, _ADD_SEND, row) == 1
    stored = await find_send(conn, session, send_id)
    if stored is None:
        raise LookupError("a send vanished inside the transaction that stored it")
    return stored, added


async def find_send(conn: Statements, session: str, send_id: str) -> StoredSend | None:
    """A send by the caller's id."""
    found = await fetch(conn, _FIND_SEND, of=session, known_as=send_id)
    return StoredSend(*found[0]) if found else None


async def new_sends(conn: Statements, after: int, shard: int, limit: int) -> list[StoredSend]:
    """At most ``limit`` sends of the sessions placed in ``shard`` with a sequence greater than ``after``, in order.

    The placement is read in the same snapshot: a send of a session that was added a moment ago is never passed over.
    """
    return [StoredSend(*row) for row in await fetch(conn, _NEW_SENDS, of=shard, after=after, most=limit)]


async def placed_since(conn: Statements, shard: int) -> dict[str, float]:
    """The sessions placed in a shard, with the time at which each was made over the API (0 for one of the file)."""
    query = (
        select(placement.c.session, func.coalesce(sessions.c.created_at, 0.0).label("created_at"))
        .join(sessions, sessions.c.id == placement.c.session, isouter=True)
        .where(placement.c.shard == shard)
    )
    return {row.session: float(row.created_at) for row in (await conn.execute(query)).all()}


async def prune_sends(database: Database, before: float, batch: int = 500) -> int:
    """Deletes sends accepted before that time, ``batch`` in one transaction; returns how many."""
    deleted = 0
    while True:
        async with database.begin() as conn:
            old = select(sends.c.seq).where(sends.c.created_at < before).order_by(sends.c.seq).limit(batch)
            count = (await conn.execute(delete(sends).where(sends.c.seq.in_(old)))).rowcount
        deleted += count
        if count < batch:
            return deleted
