"""What canaries taught of each session, and from where in an outbox their arrival is to be read."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("canaries", sa.Column("shard", sa.Integer()))
    op.add_column("canaries", sa.Column("read_upto", sa.Integer()))
    op.create_table(
        "canary_memories",
        sa.Column("session", sa.Text(), primary_key=True),
        sa.Column("data", sa.Text(), nullable=False),
    )
