"""recovery.db, written by the recovery actor: episodes of trouble and what was done about them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from actors.store.direct import Statements
from actors.store.records import Action, Episode
from actors.store.tables import actions, episodes


async def begin_episode(
    conn: Statements,
    session: str,
    cause: str,
    strategy: str,
    started_at: float,
    data: Mapping[str, Any],
    detected_at: float | None = None,
) -> int:
    """Starts an episode and returns its id; the id is never used again.  It is noticed when it begins, if not later."""
    values = {
        "session": session,
        "cause": cause,
        "strategy": strategy,
        "attempts": 0,
        "started_at": started_at,
        "detected_at": started_at if detected_at is None else detected_at,
        "data": dict(data),
    }
    result = await conn.execute(insert(episodes).values(**values).returning(episodes.c.id))
    return int(result.scalar_one())


async def update_episode(
    conn: Statements, episode: int, attempts: int, data: Mapping[str, Any], strategy: str | None = None
) -> None:
    """Stores how many attempts an episode has seen, and what is known of it now."""
    values: dict[str, Any] = {"attempts": attempts, "data": dict(data)}
    if strategy is not None:
        values["strategy"] = strategy
    await conn.execute(update(episodes).where(episodes.c.id == episode).values(**values))


async def prune_episodes(conn: Statements, before: float, limit: int) -> int:
    """Deletes at most ``limit`` episodes that ended before that time, and their actions; returns how many."""
    old = select(episodes.c.id).where(episodes.c.ended_at < before).limit(limit)
    ids = (await conn.execute(old)).scalars().all()
    await conn.execute(delete(actions).where(actions.c.episode.in_(ids)))
    return (await conn.execute(delete(episodes).where(episodes.c.id.in_(ids)))).rowcount


async def end_episode(conn: Statements, episode: int, outcome: str, now: float, healed_at: float | None = None) -> bool:
    """Ends an episode; False if it had ended already."""
    statement = (
        update(episodes)
        .where(episodes.c.id == episode, episodes.c.ended_at.is_(None))
        .values(outcome=outcome, ended_at=now, healed_at=healed_at)
    )
    return (await conn.execute(statement)).rowcount == 1


async def open_episodes(conn: Statements) -> list[Episode]:
    """The episodes that have not ended, oldest first."""
    query = select(episodes).where(episodes.c.ended_at.is_(None)).order_by(episodes.c.id)
    return [Episode(**row) for row in (await conn.execute(query)).mappings().all()]


async def episodes_at(conn: Statements, at: float) -> list[Episode]:
    """The episodes that were noticed and had not ended at that time, oldest first."""
    ended = episodes.c.ended_at.is_(None) | (episodes.c.ended_at > at)
    query = select(episodes).where(episodes.c.detected_at <= at, ended).order_by(episodes.c.id)
    return [Episode(**row) for row in (await conn.execute(query)).mappings().all()]


async def latest_episodes(conn: Statements, session: str, limit: int) -> list[Episode]:
    """The last episodes of a session, newest first."""
    query = select(episodes).where(episodes.c.session == session).order_by(episodes.c.id.desc()).limit(limit)
    return [Episode(**row) for row in (await conn.execute(query)).mappings().all()]


async def begin_action(
    conn: Statements, episode: int, session: str, cause: str, strategy: str, now: float, why: Mapping[str, Any]
) -> int:
    """Stores that a strategy is applied; returns the action's id."""
    values = {
        "episode": episode,
        "session": session,
        "cause": cause,
        "at": now,
        "strategy": strategy,
        "why": dict(why),
    }
    return int((await conn.execute(insert(actions).values(**values).returning(actions.c.id))).scalar_one())


async def end_actions(conn: Statements, episode: int, outcome: str, now: float) -> None:
    """What was under way for an episode has come to this."""
    under_way = (actions.c.episode == episode, actions.c.outcome.is_(None))
    await conn.execute(update(actions).where(*under_way).values(outcome=outcome, ended_at=now))


async def actions_since(conn: Statements, since: float) -> list[Action]:
    """The actions of all sessions from that time on, oldest first."""
    query = select(actions).where(actions.c.at >= since).order_by(actions.c.id)
    return [Action(**row) for row in (await conn.execute(query)).mappings().all()]


async def actions_in(conn: Statements, episode: int) -> list[Action]:
    """What was done in an episode, oldest first."""
    query = select(actions).where(actions.c.episode == episode).order_by(actions.c.id)
    return [Action(**row) for row in (await conn.execute(query)).mappings().all()]


async def count_outcomes(conn: Statements, since: float, until: float) -> dict[tuple[str, str, str], int]:
    """How many actions that ended within a time had which outcome: (cause, strategy, outcome) -> number."""
    key = (actions.c.cause, actions.c.strategy, actions.c.outcome)
    within = (actions.c.at >= since, actions.c.ended_at <= until, actions.c.outcome.is_not(None))
    query = select(*key, func.count().label("number")).where(*within).group_by(*key)
    return {(row.cause, row.strategy, row.outcome): row.number for row in (await conn.execute(query)).all()}


async def count_attempts(conn: Statements, since: float, until: float) -> dict[str, tuple[int, int]]:
    """Of healed episodes of each cause: how many, and how many connections they took together."""
    within = (episodes.c.started_at >= since, episodes.c.ended_at <= until, episodes.c.outcome == "healed")
    sums = (func.count().label("number"), func.sum(episodes.c.attempts).label("attempts"))
    query = select(episodes.c.cause, *sums).where(*within).group_by(episodes.c.cause)
    return {row.cause: (row.number, row.attempts) for row in (await conn.execute(query)).all()}
