"""What an operator sets for a namespace while it runs; stored, so it holds across restarts."""

from collections.abc import Mapping
from typing import Protocol


class NamespaceSettings(Protocol):
    """See the module. Every call raises StoreUnavailable when the database is away."""

    async def log_levels(self) -> Mapping[str, str]:
        """Return the level of every namespace that has one of its own."""
        ...

    async def set_log_level(self, namespace: str, level: str | None) -> None:
        """Give a namespace a level of its own, or with None that of everything else."""
        ...
