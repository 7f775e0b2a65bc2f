"""An index of the events that say where a session stands: few among all that are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "outbox_transitions",
        "outbox",
        ["session"],
        sqlite_where=sa.text("type IN ('session.state', 'session.removed')"),
    )
