"""Frozen and deleted objects; settings of namespaces that are made while they run.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _timeouts() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '30s'")


def upgrade() -> None:
    _timeouts()
    # Nullable and without default: no row is written. A release that does not know the columns
    # claims and changes such objects: every worker is upgraded before any is frozen or deleted.
    op.add_column("object", sa.Column("frozen_at", sa.TIMESTAMP(timezone=True)))
    op.add_column("object", sa.Column("deleted_at", sa.TIMESTAMP(timezone=True)))
    op.create_table(
        "object_deletion",
        sa.Column("object_id", sa.Uuid, nullable=False),
        sa.Column("purge_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("purging", sa.Boolean, server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("object_id", name=op.f("object_deletion_pkey")),
    )
    op.create_index("object_deletion_purge_at_idx", "object_deletion", ["purge_at"])
    op.create_table(
        "namespace_setting",
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("log_level", sa.Text),
        sa.Column(
            "changed_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("namespace", name=op.f("namespace_setting_pkey")),
    )
    op.execute("UPDATE cluster SET schema_version = 5")


def downgrade() -> None:
    _timeouts()
    op.execute("UPDATE cluster SET schema_version = 4")
    op.drop_table("namespace_setting")
    op.drop_table("object_deletion")
    op.drop_column("object", "deleted_at")
    op.drop_column("object", "frozen_at")
