"""Rows on their way into an object: the Postgres side of `core.backup.Staging`.

What one commit cannot carry is laid aside in `import_row`, some megabytes at a time, and moved
into its object in one transaction: first the very statement of every commit, which proves epoch,
worker and commit number and locks the object's row; then the rows, which do not travel. A crash
anywhere leaves the object as it was, and rows in `import_row` that nobody will ask for; those
are swept away after a day (`sweeping`).

The table is not logged (`unlogged`): it is empty after a crash of the database, and `move`
counts before it commits.
"""

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg

from ..core.backup import Row
from ..core.errors import OwnershipLost, StoreUnavailable
from ..core.ids import CommitSeq, WorkerId
from ..core.values import CommitOutcome, CommitResult, WriteBatch
from .commit_statement import SESSION, Flight, commit_call
from .database import Database
from .failures import DRIVER_ERRORS, Fault, classify, translated

MOVE_SECONDS: Final = 120.0
"""How long moving may take: about a gigabyte."""
SETTINGS: Final = {**SESSION, "statement_timeout": f"{MOVE_SECONDS:.0f}s"}
"""Of the transaction, so that they work behind a pooler."""
_DISCARD_ROWS: Final = 5_000

# $1 staging, $2 keys, $3 values. The same rows again, when an answer was lost, do no harm.
STAGE: Final = """
insert into import_row (staging_id, key, value)
select $1, r.* from unnest($2::bytea[], $3::bytea[]) as r (key, value)
on conflict (staging_id, key) do nothing
"""

# $1 staging
_COUNT: Final = "select count(*) from import_row where staging_id = $1"

# $1 object, $2 staging
MOVE: Final = """
insert into object_row (object_id, key, value)
select $1, key, value from import_row where staging_id = $2 order by key
on conflict (object_id, key) do update set value = excluded.value
"""

# $1 staging, $2 rows
_DISCARD: Final = """
with gone as (
    delete from import_row where ctid = any(array(
        select ctid from import_row where staging_id = $1 limit $2
    )) returning 1
)
select count(*) as rows from gone
"""


class PostgresStaging:
    """See the module and `Staging`. Cancelling any call is safe.

    Args:
        database: An open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stage(self, staging_id: UUID, rows: Sequence[Row]) -> None:
        """See `Staging.stage`."""
        keys, values = [key for key, _ in rows], [value for _, value in rows]
        await self._database.fetch(STAGE, staging_id, keys, values)

    async def move(
        self, staging_id: UUID, batch: WriteBatch, worker_id: WorkerId, *, rows: int
    ) -> CommitOutcome:
        """See `Staging.move`."""
        try:
            connection = await self._database.target.connect_raw()
        except DRIVER_ERRORS as error:
            return CommitOutcome(CommitResult.UNAVAILABLE, batch.expected, translated(error))
        try:
            async with asyncio.timeout(MOVE_SECONDS):
                return await _move(connection, staging_id, batch, worker_id, rows)
        except DRIVER_ERRORS as error:
            refused = classify(error) is Fault.ROWS
            result = CommitResult.REFUSED if refused else CommitResult.UNAVAILABLE
            return CommitOutcome(result, batch.expected, translated(error))
        finally:
            connection.terminate()

    async def discard(self, staging_id: UUID) -> None:
        """See `Staging.discard`."""
        while True:
            (row,) = await self._database.fetch(_DISCARD, staging_id, _DISCARD_ROWS)
            if row["rows"] < _DISCARD_ROWS:
                return


async def _move(
    connection: "asyncpg.Connection[asyncpg.Record]",
    staging_id: UUID,
    batch: WriteBatch,
    worker_id: WorkerId,
    rows: int,
) -> CommitOutcome:
    transaction = connection.transaction()
    await transaction.start()
    for name, value in SETTINGS.items():
        await connection.execute(f"set local {name} = '{value}'")
    staged = await connection.fetchval(_COUNT, staging_id)
    if staged != rows:
        await transaction.rollback()
        reason = StoreUnavailable("what was staged is gone; import the object again")
        return CommitOutcome(CommitResult.UNAVAILABLE, batch.expected, reason)
    sql, arguments = commit_call(worker_id, [Flight(_Nobody(), batch)])
    if not await connection.fetch(sql, *arguments):
        await transaction.rollback()
        return CommitOutcome(CommitResult.LOST, batch.expected, OwnershipLost())
    await connection.execute(MOVE, batch.object_id.uuid, staging_id)
    await transaction.commit()
    return CommitOutcome(CommitResult.COMMITTED, CommitSeq(batch.expected + 1))


class _Nobody:
    """The source of a batch whose outcome is returned."""

    def take_batch(self) -> WriteBatch | None:
        return None

    def settle(self, outcome: CommitOutcome) -> None:
        del outcome
