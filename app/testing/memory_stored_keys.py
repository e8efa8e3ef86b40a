"""The in-memory twin of `core.stored_keys`; see `memory` for the others."""

from ..core.ids import ObjectId
from ..core.stored_keys import StoredKey
from ..core.values import KeyRange
from .memory_database import MemoryDatabase, page_of


class MemoryStoredKeys:
    """Twin of `app.store.stored_keys.PostgresStoredKeys`; see `core.stored_keys.StoredKeys`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def keys(self, object_id: ObjectId, wanted: KeyRange) -> list[StoredKey]:
        """See `StoredKeys.keys`."""
        self._database.check()
        found = self._database.objects.get(object_id.uuid)
        rows = found.rows if found else {}
        page = page_of(rows, wanted, len(rows), sum(map(len, (*rows, *rows.values()))))
        return [StoredKey.from_row(key, len(value), value) for key, value in page.rows]
