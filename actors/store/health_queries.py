"""health.db, written by the health actor: the last score of each session."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert

from actors.store.direct import Statements
from actors.store.records import Score
from actors.store.tables import scores


async def store_scores(conn: Statements, computed: Sequence[Score]) -> None:
    """Stores the latest scores; events of what changed are appended by the caller in the same transaction."""
    if not computed:
        return
    statement = insert(scores)
    upsert = statement.on_conflict_do_update(
        index_elements=[scores.c.session],
        set_={name: statement.excluded[name] for name in ("score", "quality", "status", "at", "data")},
    )
    await conn.execute(
        upsert,
        [
            {
                "session": score.session,
                "score": score.score,
                "quality": score.quality,
                "status": score.status,
                "at": score.at,
                "data": dict(score.data),
            }
            for score in computed
        ],
    )


async def load_scores(conn: Statements, since: float = 0.0) -> dict[str, Score]:
    """The last score of every session, or of those that were looked at after ``since``."""
    rows = (await conn.execute(select(scores).where(scores.c.at > since))).mappings().all()
    return {row["session"]: Score(**row) for row in rows}


async def forget_score(conn: Statements, session: str) -> None:
    """Removes the score of a session that is no more."""
    await conn.execute(delete(scores).where(scores.c.session == session))
