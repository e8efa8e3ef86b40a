"""How objects stand: the Postgres side of `core.object_state.ObjectStates`.

What freezes, thaws or deletes an object is one statement that changes its row only where epoch
and worker are those of the claim, so of two owners only the present one does it. Deleting takes
the worker off the row in the same statement: from then on no commit of it matches.

**A purge and an undelete never meet.** Both begin with the row of `object_deletion`: one removes
it while it is not purging, the other says for ever that it is. Whoever locks it second finds
what the first has done.
"""

from collections.abc import Collection
from typing import Final
from uuid import UUID

import asyncpg

from ..core.ids import ObjectId, WorkerId
from ..core.object_state import ObjectState
from ..core.values import Claim
from .database import Database

_MS: Final = "(extract(epoch from {}) * 1000)::int8"

# $1 object
STATE: Final = f"""
select o.name, o.worker_id, {_MS.format("o.frozen_at")} as frozen_ms,
       {_MS.format("o.deleted_at")} as deleted_ms, {_MS.format("d.purge_at")} as purge_ms,
       coalesce(d.purging, false) as purging
from object o left join object_deletion d on d.object_id = o.object_id
where o.object_id = $1
"""  # noqa: S608 - no value in it

# Behind $1 (milliseconds) and $2 (object); $3 how many. Times of purges are whole milliseconds.
DELETED: Final = f"""
select d.object_id, o.namespace, o.name, o.worker_id, {_MS.format("o.frozen_at")} as frozen_ms,
       {_MS.format("o.deleted_at")} as deleted_ms, {_MS.format("d.purge_at")} as purge_ms,
       d.purging
from object_deletion d join object o on o.object_id = d.object_id
where (d.purge_at, d.object_id)
    > (timestamptz 'epoch' + $1::int8 * interval '1 millisecond', $2::uuid)
order by d.purge_at, d.object_id limit $3
"""  # noqa: S608 - no value in it

# $1 object, $2 epoch, $3 worker, $4 whether it is frozen
SET_FROZEN: Final = """
update object set frozen_at = case when $4 then coalesce(frozen_at, now()) end
where object_id = $1 and epoch = $2 and worker_id = $3
returning object_id
"""

# $1 object, $2 epoch, $3 worker, $4 seconds
DELETE: Final = """
with gone as (
    update object set deleted_at = now(), worker_id = null
    where object_id = $1 and epoch = $2 and worker_id = $3
    returning object_id
)
insert into object_deletion (object_id, purge_at)
select object_id, date_trunc('ms', clock_timestamp() + make_interval(secs => $4)) from gone
on conflict (object_id) do update set purge_at = excluded.purge_at, purging = false
returning object_id
"""

# $1 object, $2 seconds
SET_PURGE: Final = """
update object_deletion
set purge_at = date_trunc('ms', clock_timestamp() + make_interval(secs => $2))
where object_id = $1 and not purging
returning object_id
"""

# $1 object
UNDELETE: Final = """
with back as (
    delete from object_deletion where object_id = $1 and not purging returning object_id
)
update object o set deleted_at = null from back where o.object_id = back.object_id
returning o.object_id
"""

# $1 how many, $2 objects or null. What has begun already stands in the same order.
BEGIN_PURGES: Final = """
with due as materialized (
    select object_id from object_deletion
    where purge_at <= clock_timestamp() and ($2::uuid[] is null or object_id = any($2))
    order by purge_at limit $1
    for update skip locked
), begun as (
    update object_deletion d set purging = true from due where d.object_id = due.object_id
    returning d.object_id, d.purge_at
)
select o.object_id, o.namespace, o.name from begun join object o on o.object_id = begun.object_id
order by begun.purge_at
"""

# $1 object, $2 rows. Each table gives up to so many; `left` is asked of what the statement found,
# so a table that held just as many takes another step.
PURGE_ROWS: Final = """
with may as materialized (
    select object_id from object_deletion where object_id = $1 and purging
), {removals}
select {counts} as removed
"""

_STORED: Final = ("object_row", "object_alarm", "object_history", "history_account")
"""Every table with what an object stores, each with `object_id` at the head of its key."""

# $1 object. Nothing is left that leads here but the two rows.
PURGE_OBJECT: Final = """
with over as (
    delete from object_deletion where object_id = $1 and purging returning object_id
)
delete from object o using over where o.object_id = over.object_id
"""


def purge_rows_statement() -> str:
    """The statement of one step, over every table that holds something of an object."""
    removals = ", ".join(
        f"{table}_gone as (delete from {table} where ctid = any(array("  # noqa: S608 - names of ours
        f"select t.ctid from {table} t join may on t.object_id = may.object_id "
        "where t.object_id = $1 limit $2)) returning 1)"
        for table in _STORED
    )
    counts = " + ".join(
        f"(select count(*) from {table}_gone)"  # noqa: S608 - the same
        for table in _STORED
    )
    return PURGE_ROWS.format(removals=removals, counts=counts)


class PostgresObjectStates:
    """See the module and `ObjectStates`. Cancelling any call is safe.

    Args:
        database: An open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._object_ids = database.object_ids
        self._purge_rows = purge_rows_statement()

    async def state(self, object_id: ObjectId) -> ObjectState | None:
        """See `ObjectStates.state`."""
        rows = await self._database.fetch(STATE, object_id.uuid)
        return self._state(object_id, rows[0]) if rows else None

    async def set_frozen(self, claim: Claim, *, frozen: bool) -> bool:
        """See `ObjectStates.set_frozen`."""
        return bool(await self._database.fetch(SET_FROZEN, *_fence(claim), frozen))

    async def delete(self, claim: Claim, *, grace_seconds: float) -> bool:
        """See `ObjectStates.delete`."""
        deleted = await self._database.fetch(DELETE, *_fence(claim), grace_seconds)
        self._database.changed.note(claim.object_id.uuid)
        return bool(deleted)

    async def set_purge(self, object_id: ObjectId, *, grace_seconds: float) -> bool:
        """See `ObjectStates.set_purge`."""
        return bool(await self._database.fetch(SET_PURGE, object_id.uuid, grace_seconds))

    async def undelete(self, object_id: ObjectId) -> bool:
        """See `ObjectStates.undelete`."""
        undeleted = await self._database.fetch(UNDELETE, object_id.uuid)
        self._database.changed.note(object_id.uuid)
        return bool(undeleted)

    async def deleted(self, *, after: tuple[int, UUID] | None, limit: int) -> list[ObjectState]:
        """See `ObjectStates.deleted`."""
        purge_ms, last = after or (0, UUID(int=0))
        rows = await self._database.fetch(DELETED, purge_ms, last, limit)
        return [
            self._state(self._object_ids.from_row(row["namespace"], row["object_id"], None), row)
            for row in rows
        ]

    async def begin_purges(
        self, *, limit: int, only: Collection[ObjectId] | None = None
    ) -> list[ObjectId]:
        """See `ObjectStates.begin_purges`."""
        these = None if only is None else [object_id.uuid for object_id in only]
        rows = await self._database.fetch(BEGIN_PURGES, limit, these)
        return [
            self._object_ids.from_row(row["namespace"], row["object_id"], row["name"])
            for row in rows
        ]

    async def purge_step(self, object_id: ObjectId, *, rows: int) -> bool:
        """See `ObjectStates.purge_step`."""
        (found,) = await self._database.fetch(self._purge_rows, object_id.uuid, rows)
        if found["removed"]:
            return False
        await self._database.fetch(PURGE_OBJECT, object_id.uuid)
        self._database.changed.note(object_id.uuid)  # its tags go last
        return True

    def _state(self, object_id: ObjectId, row: asyncpg.Record) -> ObjectState:
        holder = row["worker_id"]
        return ObjectState(
            object_id=self._object_ids.from_row(
                object_id.namespace, object_id.uuid, row["name"] or object_id.name
            ),
            worker_id=None if holder is None else WorkerId(holder),
            frozen_ms=row["frozen_ms"],
            deleted_ms=row["deleted_ms"],
            purge_ms=row["purge_ms"],
            purging=row["purging"],
        )


def _fence(claim: Claim) -> tuple[object, ...]:
    return claim.object_id.uuid, claim.epoch, claim.worker_id
