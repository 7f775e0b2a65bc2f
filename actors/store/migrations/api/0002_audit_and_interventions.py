"""The audit log also says from where, in which role and with what outcome; interventions are counted by the hour."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit", sa.Column("role", sa.Text()))
    op.add_column("audit", sa.Column("remote", sa.Text()))
    op.add_column("audit", sa.Column("outcome", sa.Text(), nullable=False, server_default="done"))
    op.create_index("audit_at", "audit", ["at"])
    op.create_table(
        "interventions",
        sa.Column("hour", sa.Integer(), primary_key=True),
        sa.Column("origin", sa.Text(), primary_key=True),
        sa.Column("action", sa.Text(), primary_key=True),
        sa.Column("count", sa.Integer(), nullable=False),
    )
