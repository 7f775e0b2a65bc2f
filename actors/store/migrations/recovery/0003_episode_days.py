"""What a summary over months needs: sums by day, and indexes for the questions that are asked of episodes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "episode_days",
        sa.Column("day", sa.Integer(), primary_key=True),
        sa.Column("cause", sa.Text(), primary_key=True),
        sa.Column("strategy", sa.Text(), primary_key=True),
        sa.Column("outcome", sa.Text(), primary_key=True),
        sa.Column("episodes", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("loops", sa.Integer(), nullable=False),
        sa.Column("detect", sa.Text(), nullable=False),
        sa.Column("recover", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.drop_index("episodes_session", "episodes")
    op.create_index("episodes_session", "episodes", ["session", "started_at"])
    op.create_index("episodes_cause", "episodes", ["cause", "started_at"])
    op.create_index("episodes_outcome", "episodes", ["outcome", "started_at"])
    op.create_index("episodes_ended_at", "episodes", ["ended_at"])
    op.create_index("episodes_open", "episodes", ["started_at"], sqlite_where=sa.text("ended_at IS NULL"))
