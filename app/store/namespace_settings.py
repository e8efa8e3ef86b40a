"""The Postgres side of `core.namespace_settings`: one row for each namespace with a setting."""

from collections.abc import Mapping
from typing import Final

from .database import Database

_LOG_LEVELS: Final = """
select namespace, log_level from namespace_setting where log_level is not null
"""

# $1 namespace, $2 level or null
_SET_LOG_LEVEL: Final = """
insert into namespace_setting (namespace, log_level) values ($1, $2)
on conflict (namespace) do update set log_level = excluded.log_level, changed_at = now()
"""


class PostgresNamespaceSettings:
    """See the module and `NamespaceSettings`. Cancelling is safe.

    Args:
        database: An open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def log_levels(self) -> Mapping[str, str]:
        """See `NamespaceSettings.log_levels`."""
        rows = await self._database.fetch(_LOG_LEVELS)
        return {row["namespace"]: row["log_level"] for row in rows}

    async def set_log_level(self, namespace: str, level: str | None) -> None:
        """See `NamespaceSettings.set_log_level`."""
        await self._database.fetch(_SET_LOG_LEVEL, namespace, level)
