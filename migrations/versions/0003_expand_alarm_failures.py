"""How the last failed run of an alarm ended.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _timeouts() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '30s'")


def upgrade() -> None:
    _timeouts()
    # Nullable and without default: no row is written. A release that does not know the columns
    # leaves them as they are, which is stale at worst: only the next failure is ever shown.
    op.add_column("object_alarm", sa.Column("error_class", sa.Text))
    op.add_column("object_alarm", sa.Column("error_text", sa.Text))
    op.add_column("object_alarm", sa.Column("failed_at", sa.TIMESTAMP(timezone=True)))
    op.execute("UPDATE cluster SET schema_version = 3")


def downgrade() -> None:
    _timeouts()
    op.execute("UPDATE cluster SET schema_version = 2")
    op.drop_column("object_alarm", "failed_at")
    op.drop_column("object_alarm", "error_text")
    op.drop_column("object_alarm", "error_class")
