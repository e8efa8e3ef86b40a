"""What the admin plane keeps: tokens, the audit, idempotency keys.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _timeouts() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '30s'")


def _instant(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.TIMESTAMP(timezone=True))


def _instant_of_insert(name: str) -> sa.Column[object]:
    default = sa.text("now()")
    return sa.Column(name, sa.TIMESTAMP(timezone=True), server_default=default, nullable=False)


def upgrade() -> None:
    _timeouts()
    _tokens()
    _audit()
    _requests()
    op.execute("UPDATE cluster SET schema_version = 8")


def _tokens() -> None:
    op.create_table(
        "admin_token",
        sa.Column("token_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        _instant_of_insert("created_at"),
        sa.Column("created_by", sa.Text, nullable=False),
        _instant("expires_at"),
        _instant("last_used_at"),
        _instant("revoked_at"),
        sa.PrimaryKeyConstraint("token_id", name=op.f("admin_token_pkey")),
        sa.CheckConstraint(
            "role in ('viewer', 'operator', 'admin')", name=op.f("admin_token_role_check")
        ),
    )
    op.create_index(
        "admin_token_name_key",
        "admin_token",
        ["name"],
        unique=True,
        postgresql_where=sa.text("revoked_at is null"),
    )


def _audit() -> None:
    op.create_table(
        "admin_audit",
        sa.Column("audit_id", sa.Uuid, nullable=False),
        _instant_of_insert("at"),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("namespace", sa.Text),
        sa.Column("object", sa.Text),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("code", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("audit_id", name=op.f("admin_audit_pkey")),
        postgresql_with={"fillfactor": 80},
    )


def _requests() -> None:
    op.create_table(
        "admin_request",
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("request_id", sa.Uuid, nullable=False),
        _instant_of_insert("started_at"),
        sa.Column("status", sa.Integer),
        sa.Column("answer", sa.LargeBinary),
        sa.PrimaryKeyConstraint("caller", "key", name=op.f("admin_request_pkey")),
    )
    op.create_index("admin_request_started_at_idx", "admin_request", ["started_at"])


def downgrade() -> None:
    _timeouts()
    op.execute("UPDATE cluster SET schema_version = 7")
    op.drop_table("admin_request")
    op.drop_table("admin_audit")
    op.drop_table("admin_token")
