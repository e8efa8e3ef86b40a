"""Objects on their way in: the Postgres side of `core.backup.Staging`.

What one commit cannot carry is laid aside in `import_row`, some megabytes at a time, and moved
into its object in one transaction: first the very statement of every commit, which proves epoch,
worker and commit number and locks the object's row; then the rows, which do not travel. A crash
anywhere leaves the object as it was, and rows in `import_row` that nobody will ask for; those
are swept away after a day (`sweeping`).

The table is not logged (`unlogged`): it is empty after a crash of the database, and `move`
counts before it commits.
"""

import asyncio
from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

import asyncpg

from ..core.backup import Row
from ..core.errors import OwnershipLost, StoreUnavailable
from ..core.ids import CommitSeq, Epoch, ObjectId, WorkerId
from ..core.values import Claim, CommitOutcome, CommitResult, WriteBatch
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

# $1 worker; $2 objects, $3 namespaces, $4 names. In the order of the ids, so that of two that
# make the same objects one waits for the other and never each for each.
CLAIM_NEW: Final = """
with me as materialized (
    select worker_id from worker
    where worker_id = $1 and state = 'live' and lease_expires_at > clock_timestamp()
)
insert into object (object_id, namespace, name, worker_id, epoch)
select w.object_id, w.namespace, w.name, me.worker_id, nextval('object_epoch')
from unnest($2::uuid[], $3::text[], $4::text[]) as w (object_id, namespace, name), me
order by w.object_id
on conflict (object_id) do nothing
returning object_id, epoch
"""

# $1 worker; $2 objects, $3 epochs
RELEASE_WRITTEN: Final = """
with locked as materialized (
    select o.object_id from unnest($2::uuid[], $3::int8[]) as w (object_id, epoch)
    join object o on o.object_id = w.object_id
    where o.worker_id = $1 and o.epoch = w.epoch and o.commit_seq > 0
    order by o.object_id
    for no key update of o skip locked
)
update object o set worker_id = null from locked where o.object_id = locked.object_id
returning o.object_id
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
                outcome = await _move(connection, staging_id, batch, worker_id, rows)
            self._database.changed.note(batch.object_id.uuid)
        except DRIVER_ERRORS as error:
            refused = classify(error) is Fault.ROWS
            result = CommitResult.REFUSED if refused else CommitResult.UNAVAILABLE
            return CommitOutcome(result, batch.expected, translated(error))
        else:
            return outcome
        finally:
            connection.terminate()

    async def claim_new(self, objects: Collection[ObjectId], worker_id: WorkerId) -> list[Claim]:
        """See `Staging.claim_new`."""
        by_key = {object_id.uuid: object_id for object_id in objects}
        made = await self._database.fetch(
            CLAIM_NEW,
            worker_id,
            list(by_key),
            [object_id.namespace for object_id in by_key.values()],
            [object_id.name for object_id in by_key.values()],
        )
        return [
            Claim(
                object_id=by_key[row["object_id"]],
                worker_id=worker_id,
                epoch=Epoch(row["epoch"]),
                commit_seq=CommitSeq(0),
            )
            for row in made
        ]

    async def release_written(self, claims: Collection[Claim]) -> list[UUID]:
        """See `Staging.release_written`."""
        if not claims:
            return []
        (worker_id,) = {claim.worker_id for claim in claims}
        released = await self._database.fetch(
            RELEASE_WRITTEN,
            worker_id,
            [claim.object_id.uuid for claim in claims],
            [claim.epoch for claim in claims],
        )
        keys = [row["object_id"] for row in released]
        for key in keys:
            self._database.changed.note(key)
        return keys

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
