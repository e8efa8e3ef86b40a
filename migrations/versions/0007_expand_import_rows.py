"""Rows on their way into an object.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def _timeouts() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '30s'")


def upgrade() -> None:
    _timeouts()
    # Unlogged: what is lost with a crash of the database is sent again.
    op.create_table(
        "import_row",
        sa.Column("staging_id", sa.Uuid, nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column(
            "staged_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("staging_id", "key", name=op.f("import_row_pkey")),
        prefixes=["UNLOGGED"],
    )
    op.execute("ALTER TABLE import_row ALTER COLUMN value SET STORAGE EXTERNAL")
    op.execute("UPDATE cluster SET schema_version = 7")


def downgrade() -> None:
    _timeouts()
    op.execute("UPDATE cluster SET schema_version = 6")
    op.drop_table("import_row")
