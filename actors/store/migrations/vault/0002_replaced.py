"""Under which generation the auth state was last replaced as a whole; 0: never."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("replaced", sa.Integer(), nullable=False, server_default="0"))
