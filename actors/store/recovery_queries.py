"""recovery.db, written by the recovery actor: episodes of trouble and what was done about them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select, update

from actors.store.direct import Statements
from actors.store.records import Episode
from actors.store.tables import episodes


async def begin_episode(
    conn: Statements, session: str, cause: str, strategy: str, now: float, data: Mapping[str, Any]
) -> int:
    """Starts an episode and returns its id; the id is never used again."""
    result = await conn.execute(
        insert(episodes)
        .values(session=session, cause=cause, strategy=strategy, attempts=0, started_at=now, data=dict(data))
        .returning(episodes.c.id)
    )
    return int(result.scalar_one())


async def update_episode(conn: Statements, episode: int, attempts: int, data: Mapping[str, Any]) -> None:
    """Stores how many attempts an episode has seen, and what is known of it now."""
    await conn.execute(update(episodes).where(episodes.c.id == episode).values(attempts=attempts, data=dict(data)))


async def prune_episodes(conn: Statements, before: float, limit: int) -> int:
    """Deletes at most ``limit`` episodes that ended before that time; returns how many."""
    old = select(episodes.c.id).where(episodes.c.ended_at < before).limit(limit)
    return (await conn.execute(delete(episodes).where(episodes.c.id.in_(old)))).rowcount


async def end_episode(conn: Statements, episode: int, outcome: str, now: float) -> bool:
    """Ends an episode; False if it had ended already."""
    statement = (
        update(episodes)
        .where(episodes.c.id == episode, episodes.c.ended_at.is_(None))
        .values(outcome=outcome, ended_at=now)
    )
    return (await conn.execute(statement)).rowcount == 1


async def open_episodes(conn: Statements) -> list[Episode]:
    """The episodes that have not ended, oldest first."""
    query = select(episodes).where(episodes.c.ended_at.is_(None)).order_by(episodes.c.id)
    return [Episode(**row) for row in (await conn.execute(query)).mappings().all()]


async def latest_episodes(conn: Statements, session: str, limit: int) -> list[Episode]:
    """The last episodes of a session, newest first."""
    query = select(episodes).where(episodes.c.session == session).order_by(episodes.c.id.desc()).limit(limit)
    return [Episode(**row) for row in (await conn.execute(query)).mappings().all()]
