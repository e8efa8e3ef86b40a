"""An earlier state of an object's storage, as `on_restore` is given it.

Every commit keeps what it replaces, for as long as the setting `history_seconds` says, so the
rows as they were after any commit of that time can still be read. A bookmark names such a state;
bookmarks of one object are in the order of its commits when they are compared as texts, and mean
nothing for any other object.

Nothing that is read here wakes, waits for or changes anything, and it stays the same however
often it is read: the past does not change. Alarms are no part of it.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Protocol


class Past(Protocol):
    """See the module. It can be read while the hook runs, and no longer."""

    @property
    def bookmark(self) -> str:
        """Which state this is."""
        ...

    @property
    def made_at(self) -> datetime:
        """When the commit was made after which the storage was in this state (UTC)."""
        ...

    async def get(self, key: str, default: Any = None) -> Any:
        """Return the value that `key` had, or `default` when there was none.

        What has expired since is not there.

        Raises:
            BookmarkExpired: The state is kept no longer.
            StoreUnavailable: The database is away.
        """
        ...

    async def list(
        self,
        *,
        prefix: str | None = None,
        start: str | None = None,
        start_after: str | None = None,
        end: str | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> dict[str, Any]:
        """Return keys and values as they were; the bounds are those of `Storage.list`.

        Raises:
            TypeError: `start` together with `start_after`, or a limit below 1.
            BookmarkExpired, StoreUnavailable: As `get`.
        """
        ...

    def stream(self, *, prefix: str | None = None) -> AsyncIterator[tuple[str, Any]]:
        """Iterate over keys and values in byte order, page by page, without holding them all.

        Raises:
            BookmarkExpired, StoreUnavailable: As `get`.
        """
        ...
