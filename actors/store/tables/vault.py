"""vault.db: auth states and their generations."""

from sqlalchemy import Boolean, Column, Float, Integer, LargeBinary, MetaData, Table, Text

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
