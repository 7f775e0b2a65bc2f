"""api.db: what operators want, and what they did."""

from sqlalchemy import Boolean, Column, Float, Index, Integer, MetaData, Table, Text, UniqueConstraint

from actors.store.tables.columns import JsonText, outbox

API = MetaData()
api_outbox = outbox(API)
meta = Table("meta", API, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))
sessions = Table(
    "sessions",
    API,
    Column("id", Text, primary_key=True),
    Column("connector", Text, nullable=False),
    Column("labels", JsonText, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("proxy", Text),
)
desired = Table(
    "desired",
    API,
    Column("session", Text, primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("changed_at", Float, nullable=False),
    Column("who", Text, nullable=False),
)
placement = Table(
    "placement",
    API,
    Column("session", Text, primary_key=True),
    Column("connector", Text, nullable=False),
    Column("shard", Integer, nullable=False),
    Column("sends_after", Integer, nullable=False, server_default="0"),
    Column("moves", Integer, nullable=False, server_default="0"),
)
sends = Table(
    "sends",
    API,
    Column("seq", Integer, primary_key=True),
    Column("session", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("to_jid", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("session", "id", name="sends_session_id"),
    sqlite_autoincrement=True,
)
audit = Table(
    "audit",
    API,
    Column("seq", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("who", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("detail", JsonText, nullable=False),
    Column("role", Text),
    Column("remote", Text),
    Column("outcome", Text, nullable=False, server_default="done"),
    Index("audit_at", "at"),
    sqlite_autoincrement=True,
)
interventions = Table(
    "interventions",
    API,
    Column("hour", Integer, primary_key=True),
    Column("origin", Text, primary_key=True),
    Column("action", Text, primary_key=True),
    Column("count", Integer, nullable=False),
)
recovery_pauses = Table(
    "recovery_pauses",
    API,
    Column("id", Integer, primary_key=True),
    Column("session", Text),
    Column("labels", JsonText, nullable=False),
    Column("at", Float, nullable=False),
    Column("until", Float),
    Column("who", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("ended_at", Float),
    Column("ended_by", Text),
    sqlite_autoincrement=True,
)
