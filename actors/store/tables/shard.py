"""shard-N.db: what a host stores of its sessions."""

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, MetaData, Table, Text, text

from actors.store.tables.columns import JsonText, cursor, outbox

SHARD = MetaData()
TRANSITION = text("type IN ('session.state', 'session.removed')")
"""Events that say where a session stands.  A query with these very words finds a session's by index: most events are
of messages."""
shard_outbox = outbox(SHARD)
Index("outbox_transitions", shard_outbox.c.session, sqlite_where=TRANSITION)
shard_cursor = cursor(SHARD)
session_state = Table(
    "session_state",
    SHARD,
    Column("session", Text, primary_key=True),
    Column("incarnation", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("cause", Text),
    Column("code", Integer),
    Column("since", Float, nullable=False),
    Column("data", JsonText, nullable=False),
)
send_state = Table(
    "send_state",
    SHARD,
    Column("session", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("message_id", Text, nullable=False),
    Column("to_jid", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("error", Text),
    Column("attempts", Integer, nullable=False),
    Column("updated_at", Float, nullable=False),
    Index("send_state_message_id", "message_id"),
    Index("send_state_unfinished", "session", sqlite_where=text("state IN ('queued', 'sent-unconfirmed')")),
)
inbound_seen = Table(
    "inbound_seen",
    SHARD,
    Column("session", Text, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("at", Float, nullable=False),
    Index("inbound_seen_at", "at"),
    sqlite_with_rowid=False,
)
