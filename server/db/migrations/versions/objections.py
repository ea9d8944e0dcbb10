"""How far objections are, and who looked."""

import sqlalchemy as sa
from alembic import op

from server.db.base import BigId

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "objection_progress",
        sa.Column("objection_id", sa.String(64), primary_key=True),
        sa.Column("enclave", sa.String(63), nullable=False),
        sa.Column("enterprise", sa.String(18), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("opened_at", "transferred_at", "decide_by", "cap_at", "decided_at", "change")
        ),
    )
    op.create_index("ix_objection_progress_change", "objection_progress", ["enclave", "change"])
    op.create_index("ix_objection_progress_due", "objection_progress", ["state", "decide_by"])
    op.create_table(
        "objection_look",
        sa.Column("look_id", BigId, primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("operator", sa.String(64), nullable=False),
        sa.Column("what", sa.String(64), nullable=False),
    )
    op.create_index("ix_objection_look_at", "objection_look", ["at"])


def downgrade() -> None:
    op.drop_table("objection_look")
    op.drop_table("objection_progress")
