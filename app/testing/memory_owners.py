"""The in-memory twin of `core.owners`; see `memory` for the others."""

from ..core.ids import ObjectId
from ..core.values import LiveWorker
from .memory_database import MemoryDatabase


class MemoryObjectOwners:
    """Twin of `app.store.owners.PostgresObjectOwners`; see `core.owners.ObjectOwners`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def holder(self, object_id: ObjectId) -> LiveWorker | None:
        """See `ObjectOwners.holder`."""
        database = self._database
        database.check()
        found = database.objects.get(object_id.uuid)
        if found is None or found.worker_id is None or not database.live(found.worker_id):
            return None
        address = database.workers[found.worker_id].identity.address
        return LiveWorker(worker_id=found.worker_id, address=address)
