"""Which sends a session's shard takes over: those accepted since it lives there."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("placement", sa.Column("sends_after", sa.Integer(), nullable=False, server_default="0"))
