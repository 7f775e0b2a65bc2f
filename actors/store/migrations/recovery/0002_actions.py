"""When an episode was noticed and healed, and what was done about it: one row an action."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STRATEGIES = {
    "at_once": "reconnect",
    "back_off": "reconnect",
    "few_tries": "reconnect",
    "wait_until": "wait",
    "halt": "stop",
    "block": "stop",
    "idle": "none",
}
"""What an episode's strategy was called before: the disposition of its cause."""


def upgrade() -> None:
    op.add_column("episodes", sa.Column("detected_at", sa.Float()))
    op.add_column("episodes", sa.Column("healed_at", sa.Float()))
    op.execute("UPDATE episodes SET detected_at = started_at")
    op.execute("UPDATE episodes SET healed_at = ended_at WHERE outcome = 'healed'")
    for before, after in STRATEGIES.items():
        op.execute(
            sa.text("UPDATE episodes SET strategy = :after WHERE strategy = :before").bindparams(
                after=after, before=before
            )
        )
    op.create_index("episodes_started_at", "episodes", ["started_at"])
    op.create_table(
        "actions",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text()),
        sa.Column("ended_at", sa.Float()),
        sqlite_autoincrement=True,
    )
    op.create_index("actions_episode", "actions", ["episode"])
    op.create_index("actions_session", "actions", ["session", "at"])
    op.create_index("actions_cause", "actions", ["cause", "at"])
