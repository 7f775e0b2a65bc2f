"""First schema of the health database."""

import sqlalchemy as sa
from alembic import op

from actors.store.migrations.parts import create_cursor_v1, create_outbox_v1

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_outbox_v1()
    create_cursor_v1()
    op.create_table(
        "scores",
        sa.Column("session", sa.Text(), primary_key=True),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("quality", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
    )
