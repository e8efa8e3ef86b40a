"""The list of alarms that were given up has an index of its own.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def _timeouts() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '30s'")


def upgrade() -> None:
    _timeouts()
    # No commit and no claim is slowed down: no alarm that is set stands in it.
    op.create_index(
        "object_alarm_given_up_idx",
        "object_alarm",
        ["due_at", "object_id"],
        postgresql_where=sa.text("next_attempt_at IS NULL"),
    )
    op.execute("UPDATE cluster SET schema_version = 11")


def downgrade() -> None:
    _timeouts()
    op.execute("UPDATE cluster SET schema_version = 10")
    op.drop_index("object_alarm_given_up_idx", table_name="object_alarm")
