"""An index of the sends that are not finished: few among all that are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "send_state_unfinished",
        "send_state",
        ["session"],
        sqlite_where=sa.text("state IN ('queued', 'sent-unconfirmed')"),
    )
