"""History: what was observed of each session, and its roll-ups."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "history_sessions",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("gone_at", sa.Float()),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "history_sessions_session",
        "history_sessions",
        ["session"],
        unique=True,
        sqlite_where=sa.text("gone_at IS NULL"),
    )
    op.create_table(
        "history_levels",
        sa.Column("level", sa.Text(), primary_key=True),
        sa.Column("upto", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("kept_from", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
    )
    for table in ("history_raw", "history_minutes", "history_hours", "history_days"):
        op.create_table(
            table,
            sa.Column("bucket", sa.Integer(), primary_key=True),
            sa.Column("session", sa.Integer(), primary_key=True),
            sa.Column("data", sa.LargeBinary(), nullable=False),
            sqlite_with_rowid=False,
        )
