"""Tables that several kinds of database have, as of the revision in their name; never changed afterwards."""

import sqlalchemy as sa
from alembic import op


def create_outbox_v1() -> None:
    """The events that a producer's consumers read."""
    op.create_table(
        "outbox",
        sa.Column("seq", sa.Integer(), primary_key=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("session", sa.Text()),
        sa.Column("data", sa.Text(), nullable=False),
        sqlite_autoincrement=True,
    )


def create_cursor_v1() -> None:
    """How far a consumer has read each of its producers."""
    op.create_table(
        "cursor",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("position", sa.Integer(), nullable=False),
    )
