"""How often a session has moved to another shard: what it was told in those before is read once for each move."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("placement", sa.Column("moves", sa.Integer(), nullable=False, server_default="0"))
