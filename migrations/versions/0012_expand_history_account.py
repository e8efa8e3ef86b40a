"""How much history each object has is counted beside it, by those who prune.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def _timeouts() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '30s'")


def upgrade() -> None:
    _timeouts()
    # Empty: what there is already is counted in the background. A release that does not know it
    # goes by `object.history_bytes`, which commits from now on leave as it stands.
    op.create_table(
        "history_account",
        sa.Column("object_id", sa.Uuid, nullable=False),
        sa.Column("counted_seq", sa.BigInteger, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("object_id", name=op.f("history_account_pkey")),
    )
    op.execute("UPDATE cluster SET schema_version = 12")


def downgrade() -> None:
    _timeouts()
    op.execute("UPDATE cluster SET schema_version = 11")
    op.drop_table("history_account")
