"""What objects were: the values that commits replaced.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_COLUMNS = ("history_seq", "history_from", "history_bytes")


def _timeouts() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '30s'")


def upgrade() -> None:
    _timeouts()
    # Constant defaults: no row is written. A release that does not know the columns commits
    # without history; the next commit that keeps some sees that by `history_seq`.
    for name in _COLUMNS:
        column = sa.Column(name, sa.BigInteger, server_default=sa.text("0"), nullable=False)
        op.add_column("object", column)
    op.add_column("object", sa.Column("history_since", sa.TIMESTAMP(timezone=True)))
    op.create_table(
        "object_history",
        sa.Column("object_id", sa.Uuid, nullable=False),
        sa.Column("commit_seq", sa.BigInteger, nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("value", sa.LargeBinary),
        sa.Column("made_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("total_bytes", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("object_id", "commit_seq", "key", name=op.f("object_history_pkey")),
    )
    # As for object_row: no compression while the row locks of a whole group are held.
    op.execute("ALTER TABLE object_history ALTER COLUMN value SET STORAGE EXTERNAL")
    op.execute("UPDATE cluster SET schema_version = 10")


def downgrade() -> None:
    _timeouts()
    op.execute("UPDATE cluster SET schema_version = 9")
    op.drop_table("object_history")
    op.drop_column("object", "history_since")
    for name in reversed(_COLUMNS):
        op.drop_column("object", name)
