"""The tables of each kind of database.  Migrations make them; a test compares the two.

Times are seconds since 1970.  Every producer's database has an ``outbox`` (see `actors.store.outbox`), every
consumer's a ``cursor``: what must not be lost is read from the outbox, an actor message is only a hint.
"""

import json
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)


class Kind(StrEnum):
    """What a database is for; one writer process each."""

    API = "api"
    SHARD = "shard"
    HEALTH = "health"
    RECOVERY = "recovery"
    VAULT = "vault"


class JsonText(TypeDecorator[Any]):
    """JSON in a TEXT column, compact; NaN and infinity are refused, since JSON does not know them."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Value to text."""
        if value is None:
            return None
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Text to value."""
        return None if value is None else json.loads(value)


def _outbox(metadata: MetaData) -> Table:
    return Table(
        "outbox",
        metadata,
        Column("seq", Integer, primary_key=True),
        Column("at", Float, nullable=False),
        Column("type", Text, nullable=False),
        Column("session", Text),
        Column("data", JsonText, nullable=False),
        sqlite_autoincrement=True,
    )


def _cursor(metadata: MetaData) -> Table:
    return Table(
        "cursor",
        metadata,
        Column("name", Text, primary_key=True),
        Column("position", Integer, nullable=False),
    )


API = MetaData()
api_outbox = _outbox(API)
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

SHARD = MetaData()
shard_outbox = _outbox(SHARD)
shard_cursor = _cursor(SHARD)
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

HEALTH = MetaData()
health_outbox = _outbox(HEALTH)
health_cursor = _cursor(HEALTH)
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
    Index("canaries_at", "at"),
)
health_meta = Table(
    "health_meta", HEALTH, Column("key", Text, primary_key=True), Column("value", LargeBinary, nullable=False)
)

RECOVERY = MetaData()
recovery_outbox = _outbox(RECOVERY)
recovery_cursor = _cursor(RECOVERY)
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

VAULT = MetaData()
vault_meta = Table("meta", VAULT, Column("key", Text, primary_key=True), Column("value", LargeBinary, nullable=False))
vault_sessions = Table(
    "sessions",
    VAULT,
    Column("session", Text, primary_key=True),
    Column("reserved", Integer, nullable=False),
    Column("current", Integer, nullable=False),
    Column("wrapped_key", LargeBinary),
    Column("paired", Boolean, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("replaced", Integer, nullable=False, server_default="0"),
)
vault_entries = Table(
    "entries",
    VAULT,
    Column("session", Text, primary_key=True),
    Column("name", LargeBinary, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("generation", Integer, nullable=False),
    sqlite_with_rowid=False,
)

METADATA: dict[Kind, MetaData] = {
    Kind.API: API,
    Kind.SHARD: SHARD,
    Kind.HEALTH: HEALTH,
    Kind.RECOVERY: RECOVERY,
    Kind.VAULT: VAULT,
}
