"""Events for banks."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "event_endpoint",
        sa.Column("bank", sa.String(63), primary_key=True),
        sa.Column("url", sa.String(512), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "event_outbox",
        sa.Column("enclave", sa.String(63), primary_key=True),
        sa.Column("bank", sa.String(63), primary_key=True),
        sa.Column("sequence", sa.BigInteger(), primary_key=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_try_at", sa.BigInteger()),
        sa.Column("next_try_at", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger()),
    )
    op.create_index("ix_event_outbox_position", "event_outbox", ["enclave", "position"], unique=True)
    op.create_index("ix_event_outbox_due", "event_outbox", ["state", "next_try_at"])


def downgrade() -> None:
    op.drop_table("event_outbox")
    op.drop_table("event_endpoint")
