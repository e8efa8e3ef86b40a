"""Lists of objects: sizes and times to search by, tags, totals.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ZERO = sa.text("0")


def _timeouts() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '30s'")


def _bytewise() -> sa.Text:
    """Text in the order of its bytes, in which a prefix is a range."""
    return sa.Text(collation="C")


def upgrade() -> None:
    _timeouts()
    _listing()
    _tags_and_totals()
    op.execute("UPDATE cluster SET schema_version = 6")


def _listing() -> None:
    op.create_table(
        "object_listing",
        sa.Column("object_id", sa.Uuid, nullable=False),
        sa.Column("namespace", _bytewise(), nullable=False),
        sa.Column("name", _bytewise(), nullable=False),
        sa.Column("worker_id", sa.Uuid),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("commit_seq", sa.BigInteger, nullable=False),
        sa.Column("committed_ms", sa.BigInteger, server_default=_ZERO, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, server_default=_ZERO, nullable=False),
        sa.Column("row_count", sa.BigInteger, server_default=_ZERO, nullable=False),
        sa.Column("sized_seq", sa.BigInteger),
        sa.Column("sized_at", sa.TIMESTAMP(timezone=True)),
        sa.PrimaryKeyConstraint("object_id", name=op.f("object_listing_pkey")),
    )
    # One for each order of a list, and one for each condition that may fit few objects.
    for column in ("name", "size_bytes", "committed_ms"):
        op.create_index(
            f"object_listing_{column}_idx", "object_listing", ["namespace", column, "object_id"]
        )
    op.create_index(
        "object_listing_worker_id_idx",
        "object_listing",
        ["worker_id", "namespace", "object_id"],
        postgresql_where=sa.text("worker_id IS NOT NULL"),
    )


def _tags_and_totals() -> None:
    op.create_table(
        "object_tag",
        sa.Column("object_id", sa.Uuid, nullable=False),
        sa.Column("tag", _bytewise(), nullable=False),
        sa.Column("namespace", _bytewise(), nullable=False),
        sa.PrimaryKeyConstraint("object_id", "tag", name=op.f("object_tag_pkey")),
    )
    op.create_index("object_tag_tag_idx", "object_tag", ["tag", "namespace", "object_id"])
    op.create_table(
        "namespace_total",
        sa.Column("namespace", _bytewise(), nullable=False),
        sa.Column("part", sa.Integer, nullable=False),
        sa.Column("objects", sa.BigInteger, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("row_count", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("namespace", "part", name=op.f("namespace_total_pkey")),
        postgresql_with={"fillfactor": 50},
    )


def downgrade() -> None:
    _timeouts()
    op.execute("UPDATE cluster SET schema_version = 5")
    for table in ("namespace_total", "object_tag", "object_listing"):
        op.drop_table(table)
