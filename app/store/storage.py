"""Claiming objects and reading their rows: the Postgres side of `core.ports.ObjectStore`.

**A claim is one statement** that waits for no row lock: a row that somebody else has locked is
skipped and tried again. It is compare-and-set on the epoch: what the holder's worker row says
counts only for the very version of the object that was looked at, because a worker that
registered after the statement's snapshot would otherwise look as if it did not exist.

**Rows are loaded in a later statement.** The snapshot of a claim may predate the last commit
that it waited for or overtook (reference: proofs, A, trap 1), so what a claim's own statement
could read is not what is there. The load proves epoch and commit number.
"""

from collections.abc import Collection
from typing import Any, Final

import asyncpg

from ..core.clock import Clock, SystemClock
from ..core.errors import (
    LeaseLost,
    ObjectDeleted,
    OwnedElsewhere,
    OwnershipLost,
    WorkerLeaving,
)
from ..core.ids import CommitSeq, Epoch, ObjectId, WorkerId
from ..core.limits import PAGE_BYTES, PAGE_ROWS
from ..core.storage_codec import EXPIRING, expiry_ms
from ..core.values import Alarm, Claim, KeyRange, Page
from .alarms import read_alarm, read_alarms
from .database import Database
from .leases import END_EXPIRED_LEASE

CLAIM_TRIES: Final = 40
CLAIM_PAUSE_SECONDS: Final = 0.025

# $1 object, $2 worker, $3 namespace, $4 name.
# `seen` is what the snapshot shows; `locked` is the row as it is now, if nobody has it locked
# and its epoch is still the one seen; the new epoch is drawn after that, so epochs ascend. History
# without an object is what a release has left that knows of none: the numbers go on behind it.
CLAIM: Final = """
with me as materialized (
    select worker_id from worker
    where worker_id = $2 and state = 'live' and lease_expires_at > clock_timestamp()
), seen as materialized (
    select o.epoch, o.worker_id,
           o.worker_id is distinct from $2 and w.worker_id is not null and w.state <> 'dead'
               as held,
           coalesce(w.lease_expires_at <= clock_timestamp(), true) as expired,
           w.address, o.deleted_at is not null as deleted
    from object o left join worker w on w.worker_id = o.worker_id
    where o.object_id = $1
), locked as materialized (
    select o.object_id from object o, seen, me
    where o.object_id = $1 and not seen.held
      and o.epoch = seen.epoch and o.worker_id is not distinct from seen.worker_id
      and o.deleted_at is null
    for no key update of o skip locked
), taken as (
    update object o
    set worker_id = $2, epoch = nextval('object_epoch'), name = coalesce(o.name, $4)
    from locked where o.object_id = locked.object_id
    returning o.epoch, o.commit_seq, o.frozen_at is not null as frozen
), made as (
    insert into object (
        object_id, namespace, name, worker_id, epoch, commit_seq, history_seq, history_from
    )
    select $1, $3, $4, $2, nextval('object_epoch'), former.seq, former.seq, former.seq
    from me, lateral (
        select coalesce(max(h.commit_seq), 0) as seq from object_history h where h.object_id = $1
    ) as former
    where not exists (select from seen)
    on conflict (object_id) do nothing
    returning epoch, commit_seq
)
select coalesce(taken.epoch, made.epoch) as epoch,
       coalesce(taken.commit_seq, made.commit_seq) as commit_seq,
       coalesce(taken.frozen, false) as frozen, coalesce(seen.deleted, false) as deleted,
       exists (select from me) as live,
       exists (
           select from worker w where w.worker_id = $2 and w.state = 'draining'
             and w.lease_expires_at > clock_timestamp()
       ) as drains, seen.held, seen.expired, seen.worker_id as holder,
       seen.address
from (values (1)) as one (n) left join taken on true left join made on true left join seen on true
"""

# $1 object, $2 epoch, $3 commit number, $4 rows, $5 bytes
LOAD: Final = """
with mine as materialized (
    select object_id from object where object_id = $1 and epoch = $2 and commit_seq = $3
), page as materialized (
    select key, value, sum(octet_length(key) + octet_length(value)) over upto as size,
           row_number() over upto as number
    from (
        select key, value from object_row
        where object_id = (select object_id from mine) order by key limit $4 + 1
    ) as first_rows
    window upto as (order by key rows unbounded preceding)
)
select page.key, case when wanted then page.value end as value, wanted,
       (select exists (select from object_alarm a where a.object_id = $1)) as alarmed
from mine left join (
    select *, number = 1 or (number <= $4 and size <= $5) as wanted from page
) as page on true
order by page.key
"""

READ: Final = """
select key, value from object_row where object_id = $1 and key = any($2::bytea[])
"""

# $1 object, $2 rows, $3 the form. Only the first bytes of a value are sent.
EXPIRING_ROWS: Final = """
select key, substring(value from 1 for 9) as form from object_row
where object_id = $1 and substring(value from 1 for 1) = $3
order by form, key limit $2
"""

# $1 object, $2 start, $3 end, $4 rows, $5 bytes. A value is sent only if its row is wanted.
_SCAN: Final = """
with page as materialized (
    select key, value, sum(octet_length(key) + octet_length(value)) over upto as size,
           row_number() over upto as number
    from (
        select key, value from object_row
        where object_id = $1 {bounds} order by key {order} limit $4 + 1
    ) as first_rows
    window upto as (order by key {order} rows unbounded preceding)
)
select key, case when wanted then value end as value, wanted
from (select *, number = 1 or (number <= $4 and size <= $5) as wanted from page) as page
order by key {order}
"""

# $1 object, $2 epoch, $3 worker. An object that stores nothing,
# and of which no history is kept, leaves no row. What is `empty` was
# seen in the snapshot, and `locked` is the row as it is now: a commit that came between has moved
# its number, and the row stays.
RELEASE: Final = """
with seen as materialized (
    select o.commit_seq,
           not exists (select from object_row r where r.object_id = $1)
           and not exists (select from object_alarm a where a.object_id = $1)
           and not exists (select from object_history h where h.object_id = $1) as empty
    from object o where o.object_id = $1 and o.epoch = $2 and o.worker_id = $3
), locked as materialized (
    select o.object_id,
           seen.empty and o.commit_seq = seen.commit_seq and o.frozen_at is null as unused
    from object o, seen
    where o.object_id = $1 and o.epoch = $2 and o.worker_id = $3
    for update of o
), removed as (
    delete from object o using locked where o.object_id = locked.object_id and locked.unused
)
update object o set worker_id = null
from locked where o.object_id = locked.object_id and not locked.unused
"""


_EPOCH: Final = "select epoch from object where object_id = $1 and worker_id = $2"


def scan_statement(wanted: KeyRange) -> str:
    """The statement for a range; only the bounds that are set stand in it, so it is indexed."""
    low = "and key >= $2" if wanted.start is not None else "and $2::bytea is null"
    high = "and key < $3" if wanted.end is not None else "and $3::bytea is null"
    return _SCAN.format(bounds=f"{low} {high}", order="desc" if wanted.reverse else "asc")


class PostgresObjectStore:
    """See the module and `ObjectStore`. Cancelling any call is safe.

    Args:
        database: An open database.
        clock: For the pauses between tries of a claim.
    """

    def __init__(self, database: Database, *, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()

    async def claim(self, object_id: ObjectId, worker_id: WorkerId) -> Claim:
        """See `ObjectStore.claim`. A claim whose answer was lost may simply be made again."""
        for _ in range(CLAIM_TRIES):
            (row,) = await self._database.fetch(
                CLAIM, object_id.uuid, worker_id, object_id.namespace, object_id.name
            )
            if row["epoch"] is not None:
                self._database.changed.note(object_id.uuid)
                return Claim(
                    object_id=object_id,
                    worker_id=worker_id,
                    epoch=Epoch(row["epoch"]),
                    commit_seq=CommitSeq(row["commit_seq"]),
                    frozen=row["frozen"],
                    taken_over=row["holder"] not in (None, worker_id),
                )
            if row["deleted"]:
                raise ObjectDeleted
            if not row["live"]:
                raise WorkerLeaving if row["drains"] else LeaseLost
            if row["held"] and not row["expired"]:
                raise OwnedElsewhere(worker_id=row["holder"], address=row["address"] or "")
            if row["held"]:
                await self._database.fetch(END_EXPIRED_LEASE, row["holder"])
            else:
                await self._clock.sleep(CLAIM_PAUSE_SECONDS)
        raise OwnedElsewhere("the object's row stayed locked")

    async def load(self, claim: Claim, *, rows: int, size_bytes: int) -> Page:
        """See `ObjectStore.load`."""
        found = await self._database.fetch(
            LOAD, claim.object_id.uuid, claim.epoch, claim.commit_seq, rows, size_bytes
        )
        if not found:
            raise OwnershipLost
        alarmed = found[0]["alarmed"]
        if found[0]["key"] is None:
            return Page(rows=[], more=False, alarmed=alarmed)
        return _page(found, alarmed=alarmed)

    async def read(self, object_id: ObjectId, keys: Collection[bytes]) -> dict[bytes, bytes]:
        """See `ObjectStore.read`."""
        found = await self._database.fetch(READ, object_id.uuid, list(keys))
        return {row["key"]: row["value"] for row in found}

    async def scan(self, object_id: ObjectId, wanted: KeyRange) -> Page:
        """See `ObjectStore.scan`."""
        rows = PAGE_ROWS if wanted.limit is None else min(PAGE_ROWS, wanted.limit)
        arguments: tuple[Any, ...] = (object_id.uuid, wanted.start, wanted.end, rows, PAGE_BYTES)
        page = _page(await self._database.fetch(scan_statement(wanted), *arguments))
        if wanted.limit is not None and len(page.rows) >= wanted.limit:
            return Page(rows=page.rows[: wanted.limit], more=False)
        return page

    async def expiring(self, object_id: ObjectId, *, limit: int) -> list[tuple[bytes, int]]:
        """See `ObjectStore.expiring`."""
        found = await self._database.fetch(EXPIRING_ROWS, object_id.uuid, limit, bytes((EXPIRING,)))
        return [(row["key"], expiry_ms(row["form"])) for row in found]

    async def alarm(self, object_id: ObjectId, name: str) -> Alarm | None:
        """See `ObjectStore.alarm`."""
        return await read_alarm(self._database, object_id, name)

    async def alarms(self, object_id: ObjectId) -> dict[str, Alarm]:
        """See `ObjectStore.alarms`."""
        return await read_alarms(self._database, object_id)

    async def release(self, claim: Claim) -> None:
        """See `ObjectStore.release`."""
        await self._database.fetch(RELEASE, claim.object_id.uuid, claim.epoch, claim.worker_id)
        self._database.changed.note(claim.object_id.uuid)

    async def disown(self, object_id: ObjectId, worker_id: WorkerId) -> None:
        """See `ObjectStore.disown`."""
        for row in await self._database.fetch(_EPOCH, object_id.uuid, worker_id):
            await self._database.fetch(RELEASE, object_id.uuid, row["epoch"], worker_id)
            self._database.changed.note(object_id.uuid)


def _page(found: list[asyncpg.Record], *, alarmed: bool = False) -> Page:
    rows = [(row["key"], row["value"]) for row in found if row["wanted"]]
    return Page(rows=rows, more=len(rows) < len(found), alarmed=alarmed)
