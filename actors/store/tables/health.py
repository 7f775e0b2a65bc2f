"""health.db: scores, the past of sessions, rhythms and canaries."""

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, MetaData, Table, Text, text

from actors.store.tables.columns import JsonText, cursor, outbox

HEALTH = MetaData()
health_outbox = outbox(HEALTH)
health_cursor = cursor(HEALTH)
scores = Table(
    "scores",
    HEALTH,
    Column("session", Text, primary_key=True),
    Column("score", Integer, nullable=False),
    Column("quality", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("data", JsonText, nullable=False),
)

history_sessions = Table(
    "history_sessions",
    HEALTH,
    Column("number", Integer, primary_key=True),
    Column("session", Text, nullable=False),
    Column("gone_at", Float),
    Index("history_sessions_session", "session", unique=True, sqlite_where=text("gone_at IS NULL")),
    sqlite_autoincrement=True,
)
history_levels = Table(
    "history_levels",
    HEALTH,
    Column("level", Text, primary_key=True),
    Column("upto", Integer, nullable=False),
    Column("part", Integer, nullable=False),
    Column("kept_from", Integer, nullable=False),
    Column("rows", Integer, nullable=False),
)


def _history(name: str) -> Table:
    """By time first: what is written each minute lies together, and so does what is pruned."""
    return Table(
        name,
        HEALTH,
        Column("bucket", Integer, primary_key=True),
        Column("session", Integer, primary_key=True),
        Column("data", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


BULKY = frozenset({"history_raw", "history_minutes", "history_hours", "history_days"})
"""Tables that grow large and that nothing else depends on: a start does not read them through."""
history_raw = _history("history_raw")
history_minutes = _history("history_minutes")
history_hours = _history("history_hours")
history_days = _history("history_days")

rhythms = Table(
    "rhythms", HEALTH, Column("session", Text, primary_key=True), Column("data", LargeBinary, nullable=False)
)
canaries = Table(
    "canaries",
    HEALTH,
    Column("id", Text, primary_key=True),
    Column("sender", Text, nullable=False),
    Column("receiver", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("accepted_at", Float),
    Column("ended_at", Float),
    Column("outcome", Text),
    Column("shard", Integer),
    Column("read_upto", Integer),
    Index("canaries_at", "at"),
)
canary_memories = Table(
    "canary_memories",
    HEALTH,
    Column("session", Text, primary_key=True),
    Column("data", JsonText, nullable=False),
)
health_meta = Table(
    "health_meta", HEALTH, Column("key", Text, primary_key=True), Column("value", LargeBinary, nullable=False)
)
