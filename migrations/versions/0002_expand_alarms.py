"""Alarms of objects.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ZERO = sa.text("0")


def _timeouts() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '30s'")


def upgrade() -> None:
    _timeouts()
    op.create_table(
        "object_alarm",
        sa.Column("object_id", sa.Uuid, nullable=False),
        sa.Column("name", sa.Text, server_default=sa.text("''"), nullable=False),
        sa.Column("due_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("payload", sa.LargeBinary),
        sa.Column("every_ms", sa.BigInteger),
        sa.Column("counted_attempts", sa.Integer, server_default=_ZERO, nullable=False),
        sa.Column("uncounted_attempts", sa.Integer, server_default=_ZERO, nullable=False),
        sa.Column("next_attempt_at", sa.TIMESTAMP(timezone=True)),
        sa.Column("claimed_by", sa.Uuid),
        sa.Column("claim_until", sa.TIMESTAMP(timezone=True)),
        sa.PrimaryKeyConstraint("object_id", "name", name=op.f("object_alarm_pkey")),
        postgresql_with={"fillfactor": 50},
    )
    # What is given up (no next attempt) is not in it. A claim changes no column of it, nor does
    # any commit without an alarm touch this table.
    op.create_index(
        "object_alarm_next_attempt_at_idx",
        "object_alarm",
        ["next_attempt_at"],
        postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
    )
    op.execute("UPDATE cluster SET schema_version = 2")


def downgrade() -> None:
    _timeouts()
    op.execute("UPDATE cluster SET schema_version = 1")
    op.drop_table("object_alarm")
