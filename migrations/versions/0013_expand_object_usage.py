"""What objects cost, by the day: written in the background, never by a commit.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_FIGURES = (
    "cpu_us",
    "wall_us",
    "events",
    "messages_in",
    "messages_out",
    "requests",
    "bytes_in",
    "bytes_out",
    "commits",
    "rows_written",
    "bytes_written",
    "wakes",
    "alarms",
)
_RANKED = ("cpu_us", "events", "bytes_in", "bytes_out", "commits")


def _timeouts() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '30s'")


def upgrade() -> None:
    _timeouts()
    op.create_table(
        "object_usage",
        sa.Column("object_id", sa.Uuid, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        *(sa.Column(figure, sa.BigInteger, nullable=False) for figure in _FIGURES),
        sa.PrimaryKeyConstraint("object_id", "day", name=op.f("object_usage_pkey")),
    )
    for figure in _RANKED:
        op.create_index(f"object_usage_{figure}_idx", "object_usage", ["day", figure, "object_id"])
    op.execute("UPDATE cluster SET schema_version = 13")


def downgrade() -> None:
    _timeouts()
    op.execute("UPDATE cluster SET schema_version = 12")
    op.drop_table("object_usage")
