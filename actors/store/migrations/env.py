"""Alembic's environment, shared by all kinds: the caller gives the connection and owns the transaction."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes["metadata"],
)
context.run_migrations()
