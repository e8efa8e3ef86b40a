"""The in-memory twin of the settings of namespaces; see `memory` for the others."""

from collections.abc import Mapping

from .memory_database import MemoryDatabase


class MemoryNamespaceSettings:
    """Twin of `app.store.namespace_settings`; see `core.namespace_settings`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def log_levels(self) -> Mapping[str, str]:
        """See `NamespaceSettings.log_levels`."""
        self._database.check()
        return dict(self._database.log_levels)

    async def set_log_level(self, namespace: str, level: str | None) -> None:
        """See `NamespaceSettings.set_log_level`."""
        self._database.check()
        self._database.log_levels.pop(namespace, None)
        if level is not None:
            self._database.log_levels[namespace] = level
