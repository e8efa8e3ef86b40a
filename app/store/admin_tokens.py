"""Tokens of the admin plane in Postgres; see `core.admin_tokens.AdminTokens`."""

from datetime import datetime
from typing import Any, Final

from ..core.admin import Role
from ..core.admin_tokens import AdminToken, TokenText
from .database import Database

_COLUMNS: Final = """token_id, name, role, secret_hash, created_at, created_by, expires_at,
    last_used_at, revoked_at,
    revoked_at is null and (expires_at is null or expires_at > clock_timestamp()) as valid"""

# Repeated after a broken connection it finds its own row and tells it again. An expired token
# keeps its name until it is revoked, or the audit could not tell the two apart.
_ADD: Final = f"""
with added as (
    insert into admin_token (token_id, name, role, secret_hash, created_by, expires_at)
    values ($1, $2, $3, $4, $5, $6)
    on conflict do nothing
    returning *
)
select {_COLUMNS} from added
union all
select {_COLUMNS} from admin_token where token_id = $1 and secret_hash = $4
"""  # noqa: S608 - the columns are ours
_FIND: Final = f"select {_COLUMNS} from admin_token where token_id = $1"  # noqa: S608 - likewise
_USED: Final = """
update admin_token set last_used_at = clock_timestamp()
where token_id = $1
  and (last_used_at is null or last_used_at < clock_timestamp() - interval '1 hour')
"""
_REVOKE: Final = f"""
update admin_token set revoked_at = coalesce(revoked_at, clock_timestamp())
where token_id = $1 returning {_COLUMNS}
"""  # noqa: S608 - likewise
_PAGE: Final = f"""
select {_COLUMNS} from admin_token where token_id > $1 order by token_id limit $2
"""  # noqa: S608 - likewise


class PostgresAdminTokens:
    """See the module. Cancelling is safe.

    Args:
        database: An open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, token: TokenText, *, name: str, role: Role, by: str, expires_at: datetime | None
    ) -> AdminToken | None:
        """See `AdminTokens.add`."""
        rows = await self._database.fetch(
            _ADD, token.token_id, name, role.value, token.secret_hash, by, expires_at
        )
        return _token(rows[0]) if rows else None

    async def find(self, token_id: str) -> AdminToken | None:
        """See `AdminTokens.find`."""
        rows = await self._database.fetch(_FIND, token_id)
        return _token(rows[0]) if rows else None

    async def used(self, token_id: str) -> None:
        """See `AdminTokens.used`."""
        await self._database.fetch(_USED, token_id)

    async def revoke(self, token_id: str) -> AdminToken | None:
        """See `AdminTokens.revoke`."""
        rows = await self._database.fetch(_REVOKE, token_id)
        return _token(rows[0]) if rows else None

    async def page(self, *, after: str | None, limit: int) -> list[AdminToken]:
        """See `AdminTokens.page`."""
        rows = await self._database.fetch(_PAGE, after or "", limit)
        return [_token(row) for row in rows]


def _token(row: Any) -> AdminToken:
    return AdminToken(**{**row, "role": Role(row["role"])})
