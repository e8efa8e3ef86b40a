"""Who takes rooms: the Postgres side of `core.ports.WorkerList`.

A plain read of a table with a row for each worker. What it says may be old by the time it is
used, so nothing may depend on it: whoever is asked says for himself whether he takes a room.
"""

from typing import Final

from ..core.ids import WorkerId
from ..core.values import LiveWorker
from .database import Database

_LIVE: Final = """
select worker_id, address from worker
where state = 'live' and lease_expires_at > clock_timestamp()
"""

_ELSEWHERE: Final = """
select address from worker
where state <> 'dead' and lease_expires_at > clock_timestamp() and node <> $1
"""


class PostgresWorkerList:
    """See the module and `WorkerList`. Cancelling is safe.

    Args:
        database: An open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def live(self) -> list[LiveWorker]:
        """See `WorkerList.live`."""
        rows = await self._database.fetch(_LIVE)
        return [
            LiveWorker(worker_id=WorkerId(row["worker_id"]), address=row["address"]) for row in rows
        ]

    async def addresses_elsewhere(self, node: str) -> list[str]:
        """Where the workers of other machines say that they are dialled.

        Raises:
            StoreUnavailable: The database is away.
        """
        rows = await self._database.fetch(_ELSEWHERE, node)
        return [str(row["address"]) for row in rows]
