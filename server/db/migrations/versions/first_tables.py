"""First tables, and an audit that the database itself keeps append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "bank",
        sa.Column("bank_id", sa.String(63), primary_key=True),
        sa.Column("name_zh", sa.String(128), nullable=False),
        sa.Column("name_en", sa.String(128), nullable=False),
        sa.Column("certificate_thumbprint", sa.String(43), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("certificate_thumbprint"),
    )
    op.create_table(
        "enterprise",
        sa.Column("uscc", sa.String(18), primary_key=True),
        sa.Column("key_thumbprint", sa.String(43), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
    )
    _authorizations()
    _assessments()
    _audit()


def _authorizations() -> None:
    op.create_table(
        "authorization_copy",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("enterprise", sa.String(18), nullable=False),
        sa.Column("bank", sa.String(63), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("submitted_at", sa.BigInteger(), nullable=False),
    )
    page = ["submitted_at", "digest"]
    op.create_index("ix_authorization_copy_bank_page", "authorization_copy", ["bank", *page])
    op.create_index("ix_authorization_copy_bank_enterprise", "authorization_copy", ["bank", "enterprise", *page])


def _assessments() -> None:
    op.create_table(
        "registered_model",
        sa.Column("model_id", sa.String(64), primary_key=True),
        sa.Column("bank", sa.String(63), sa.ForeignKey("bank.bank_id"), nullable=False),
        sa.Column("enclave", sa.String(63), nullable=False),
        sa.Column("parameter_set", sa.String(64), nullable=False),
        sa.Column("catalogue", sa.String(128), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_registered_model_bank_page", "registered_model", ["bank", "registered_at", "model_id"])
    op.create_table(
        "assessment",
        sa.Column("assessment_id", sa.String(64), primary_key=True),
        sa.Column("authorization", sa.String(64), nullable=False),
        sa.Column("first_passed_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_assessment_authorization", "assessment", ["authorization"])


def _audit() -> None:
    op.create_table(
        "audit_event",
        sa.Column("event_id", _BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("outcome", sa.String(64), nullable=False),
        sa.Column("enclave", sa.String(63)),
        sa.Column("bank", sa.String(63)),
        sa.Column("enterprise", sa.String(18)),
        sa.Column("model", sa.String(64)),
        sa.Column("authorization", sa.String(64)),
        sa.Column("assessment", sa.String(64)),
    )
    op.create_index("ix_audit_event_at", "audit_event", ["at"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION audit_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_event_is_append_only()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_event_no_{change.lower()} BEFORE {change} ON audit_event "
            "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
        )


def downgrade() -> None:
    for table in ("audit_event", "assessment", "registered_model", "authorization_copy", "enterprise", "bank"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_event_is_append_only()")
