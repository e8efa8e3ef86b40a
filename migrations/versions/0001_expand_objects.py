"""Cluster, workers, objects and their rows.

Revision ID: 0001
Revises:
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NOW = sa.text("now()")


def _timeouts() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '30s'")


def upgrade() -> None:
    _timeouts()
    op.execute(sa.schema.CreateSequence(sa.Sequence("object_epoch", data_type=sa.BigInteger)))
    _cluster()
    _worker()
    _objects()


def _cluster() -> None:
    cluster = op.create_table(
        "cluster",
        sa.Column("only_row", sa.Boolean, server_default=sa.text("true"), nullable=False),
        sa.Column("schema_version", sa.Integer, nullable=False),
        sa.Column("id_key", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False, server_default=_NOW),
        sa.PrimaryKeyConstraint("only_row", name=op.f("cluster_pkey")),
        sa.CheckConstraint("only_row", name=op.f("cluster_only_row_check")),
        sa.CheckConstraint("octet_length(id_key) = 32", name=op.f("cluster_id_key_check")),
    )
    # Every id of every object comes from this key. It is made here, once, and never changed.
    op.bulk_insert(cluster, [{"schema_version": 1, "id_key": secrets.token_bytes(32)}])


def _worker() -> None:
    op.create_table(
        "worker",
        sa.Column("worker_id", sa.Uuid, nullable=False),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("slot", sa.Integer, nullable=False),
        sa.Column("boot_id", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("lease_expires_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("started_at", sa.TIMESTAMP(timezone=True), nullable=False, server_default=_NOW),
        sa.Column("version", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("worker_id", name=op.f("worker_pkey")),
        sa.CheckConstraint(
            "state in ('live', 'draining', 'dead')", name=op.f("worker_state_check")
        ),
    )
    op.create_index(
        "worker_place_key",
        "worker",
        ["node", "slot"],
        unique=True,
        postgresql_where=sa.text("state <> 'dead'"),
    )


def _objects() -> None:
    op.create_table(
        "object",
        sa.Column("object_id", sa.Uuid, nullable=False),
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("worker_id", sa.Uuid),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("commit_seq", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False, server_default=_NOW),
        sa.Column("committed_at", sa.TIMESTAMP(timezone=True)),
        sa.PrimaryKeyConstraint("object_id", name=op.f("object_pkey")),
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "object_row",
        sa.Column("object_id", sa.Uuid, nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("object_id", "key", name=op.f("object_row_pkey")),
        postgresql_with={"fillfactor": 70},
    )
    # EXTERNAL, not the default: the default compresses every value over 2 kB inside the commit,
    # while the row locks of the whole group are held. Measured with JSON text: 200 kB commit in
    # 3-5 ms against 6-9, 2 MB in 23-40 ms against 68-84, and reads alike, for three times the
    # disk. Smaller values are the same either way.
    op.execute("ALTER TABLE object_row ALTER COLUMN value SET STORAGE EXTERNAL")


def downgrade() -> None:
    _timeouts()
    for table in ("object_row", "object", "worker", "cluster"):
        op.drop_table(table)
    op.execute(sa.schema.DropSequence(sa.Sequence("object_epoch")))
