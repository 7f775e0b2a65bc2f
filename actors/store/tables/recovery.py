"""recovery.db: episodes of trouble, and what was done about them."""

from sqlalchemy import Column, Float, Index, Integer, MetaData, Table, Text, text

from actors.store.tables.columns import JsonText, cursor, outbox

RECOVERY = MetaData()
recovery_outbox = outbox(RECOVERY)
recovery_cursor = cursor(RECOVERY)
episodes = Table(
    "episodes",
    RECOVERY,
    Column("id", Integer, primary_key=True),
    Column("session", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("strategy", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("outcome", Text),
    Column("data", JsonText, nullable=False),
    Column("detected_at", Float),
    Column("healed_at", Float),
    Index("episodes_session", "session", "started_at"),
    Index("episodes_cause", "cause", "started_at"),
    Index("episodes_outcome", "outcome", "started_at"),
    Index("episodes_started_at", "started_at"),
    Index("episodes_ended_at", "ended_at"),
    Index("episodes_open", "started_at", sqlite_where=text("ended_at IS NULL")),
    sqlite_autoincrement=True,
)
episode_days = Table(
    "episode_days",
    RECOVERY,
    Column("day", Integer, primary_key=True),
    Column("cause", Text, primary_key=True),
    Column("strategy", Text, primary_key=True),
    Column("outcome", Text, primary_key=True),
    Column("episodes", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("loops", Integer, nullable=False),
    Column("detect", JsonText, nullable=False),
    Column("recover", JsonText, nullable=False),
    sqlite_with_rowid=False,
)
actions = Table(
    "actions",
    RECOVERY,
    Column("id", Integer, primary_key=True),
    Column("episode", Integer, nullable=False),
    Column("session", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("strategy", Text, nullable=False),
    Column("why", JsonText, nullable=False),
    Column("outcome", Text),
    Column("ended_at", Float),
    Index("actions_episode", "episode"),
    Index("actions_session", "session", "at"),
    Index("actions_cause", "cause", "at"),
    sqlite_autoincrement=True,
)
