"""Who holds an object: the Postgres side of `core.owners`. Two reads by primary key."""

from typing import Final

from ..core.ids import ObjectId, WorkerId
from ..core.values import LiveWorker
from .database import Database

HOLDER: Final = """
select worker.worker_id, worker.address from object join worker using (worker_id)
where object.object_id = $1
  and worker.state <> 'dead' and worker.lease_expires_at > clock_timestamp()
"""


class PostgresObjectOwners:
    """See the module and `ObjectOwners`. Cancelling is safe.

    Args:
        database: An open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def holder(self, object_id: ObjectId) -> LiveWorker | None:
        """See `ObjectOwners.holder`."""
        rows = await self._database.fetch(HOLDER, object_id.uuid)
        if not rows:
            return None
        return LiveWorker(worker_id=WorkerId(rows[0]["worker_id"]), address=rows[0]["address"])
