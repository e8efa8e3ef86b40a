"""Who takes rooms: the Postgres side of `core.ports.WorkerList` and `core.worker_rows`.

A plain read of a table with a row for each worker. What it says may be old by the time it is
used, so nothing may depend on it: whoever is asked says for himself whether he takes a room.
"""

from typing import Final

import asyncpg

from ..core.ids import WorkerId
from ..core.values import LiveWorker, WorkerIdentity
from ..core.worker_rows import WorkerRow, WorkerState
from .database import Database

_LIVE: Final = """
select worker_id, address from worker
where state = 'live' and lease_expires_at > clock_timestamp()
"""

_ROWS: Final = """
select worker_id, node, slot, boot_id, address, version,
       case when lease_expires_at > clock_timestamp() then state else 'dead' end as state,
       (extract(epoch from started_at) * 1000)::int8 as started_ms,
       (extract(epoch from lease_expires_at) * 1000)::int8 as lease_ms
from worker {only}
"""

_ALL: Final = _ROWS.format(only="")
_ONE: Final = _ROWS.format(only="where worker_id = $1")

_ELSEWHERE: Final = """
select address from worker
where state <> 'dead' and lease_expires_at > clock_timestamp() and node <> $1
"""


class PostgresWorkerList:
    """See the module, `WorkerList` and `WorkerRows`. Cancelling is safe.

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

    async def rows(self) -> list[WorkerRow]:
        """See `WorkerRows.rows`."""
        return [_row(row) for row in await self._database.fetch(_ALL)]

    async def row(self, worker_id: WorkerId) -> WorkerRow | None:
        """See `WorkerRows.row`."""
        rows = await self._database.fetch(_ONE, worker_id)
        return _row(rows[0]) if rows else None

    async def addresses_elsewhere(self, node: str) -> list[str]:
        """Where the workers of other machines say that they are dialled.

        Raises:
            StoreUnavailable: The database is away.
        """
        rows = await self._database.fetch(_ELSEWHERE, node)
        return [str(row["address"]) for row in rows]


def _row(row: asyncpg.Record) -> WorkerRow:
    return WorkerRow(
        identity=WorkerIdentity(
            worker_id=WorkerId(row["worker_id"]),
            node=row["node"],
            slot=row["slot"],
            boot_id=row["boot_id"],
            address=row["address"],
            version=row["version"],
        ),
        state=WorkerState(row["state"]),
        started_ms=row["started_ms"],
        lease_ms=row["lease_ms"],
    )
