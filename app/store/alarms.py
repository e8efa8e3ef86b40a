"""Alarms: what an owner reads of its own, and the queue of those that are due.

Setting, deleting and counting are part of the owner's fenced commits (`commit_statement`). Here
is the rest: a claim marks due alarms for the worker that is going to ring them, and only marks
them (architecture, invariant 6).

**No statement here waits for a row lock.** What is locked is being claimed or committed at this
moment, and is left for the next time; so a commit, which may have to wait for one of these, is
never held up for long and never part of a deadlock.

The condition on the time is `now()`, the start of the statement, which an index can answer and
which is never later than the clock. A claim is void when its time is over, and when the worker
that made it is dead or has let its lease run out.
"""

from collections.abc import Collection
from typing import Any, Final

import asyncpg

from ..core.ids import ObjectId, WorkerId
from ..core.limits import ALARMS_CLAIMED_OF_ONE
from ..core.values import Alarm, AlarmFailure, DueAlarm, DueAlarms
from .database import Database

_MS: Final = "(extract(epoch from {}) * 1000)::int8"

ALARM_COLUMNS: Final = f"""
a.name, {_MS.format("a.due_at")} as due_ms, {_MS.format("a.next_attempt_at")} as next_ms,
a.counted_attempts, a.uncounted_attempts, a.payload, a.every_ms,
a.error_class, a.error_text, {_MS.format("a.failed_at")} as failed_ms
"""
"""What `alarm_of` reads, of `object_alarm a`."""

_ALARM: Final = f"""
select {ALARM_COLUMNS} from object_alarm a where a.object_id = $1
"""  # noqa: S608 - no value in it

# $1 object, $2 name
READ_ALARM: Final = _ALARM + "and a.name = $2\n"

# $1 object
READ_ALARMS: Final = _ALARM

_UNCLAIMED: Final = """(a.claimed_by is null or a.claim_until <= now() or not exists (
          select from worker w
          where w.worker_id = a.claimed_by and w.state <> 'dead' and w.lease_expires_at > now()
      ))"""

# A look-up for each candidate, in this form always: joined, the table of objects might be read
# whole for a handful of alarms.
_AWAKE: Final = """(select o.frozen_at is null and o.deleted_at is null
           from object o where o.object_id = a.object_id)"""

# $1 worker, $2 how many, $3 seconds, $4 at most of one object, $5 of none of these objects.
# Always one row at least, for the clock's sake. `seen` looks at a bounded number, unlocked; of
# those each object's first are taken. The conditions stand again in `due`, where the row is
# locked: whoever was quicker has changed it since the snapshot.
CLAIM_DUE: Final = f"""
with me as materialized (
    select worker_id from worker
    where worker_id = $1 and state = 'live' and lease_expires_at > clock_timestamp()
), seen as materialized (
    select a.object_id, a.name, a.next_attempt_at from object_alarm a
    where a.next_attempt_at <= now() and exists (select from me)
      and a.object_id <> all($5::uuid[])
      and {_UNCLAIMED}
      and {_AWAKE}
    order by a.next_attempt_at
    limit $2 * 4
), ranked as (
    select object_id, name,
           row_number() over (partition by object_id order by next_attempt_at) as place
    from seen
), due as materialized (
    select a.object_id, a.name
    from ranked r join object_alarm a on a.object_id = r.object_id and a.name = r.name
    where r.place <= $4 and a.next_attempt_at <= now()
      and {_UNCLAIMED}
    order by a.next_attempt_at
    limit $2
    for no key update of a skip locked
), claimed as (
    update object_alarm a
    set claimed_by = $1, claim_until = clock_timestamp() + make_interval(secs => $3)
    from due where a.object_id = due.object_id and a.name = due.name
    returning a.object_id, a.name, a.due_at, a.next_attempt_at
)
select floor(extract(epoch from now()) * 1000)::int8 as database_ms,
       (select count(*) from seen) as seen,
       o.namespace, o.object_id, o.name as object_name, c.name,
       {_MS.format("c.due_at")} as due_ms,
       {_MS.format("c.next_attempt_at")} as attempt_ms
from (values (1)) as one (n)
left join (claimed c join object o on o.object_id = c.object_id) on true
order by c.next_attempt_at
"""  # noqa: S608 - no value in it

# $1 worker; $2 objects, $3 names, $4 attempts; $5 seconds
KEEP: Final = f"""
with mine as materialized (
    select a.object_id, a.name
    from unnest($2::uuid[], $3::text[], $4::int8[]) as k (object_id, name, attempt_ms)
    join object_alarm a on a.object_id = k.object_id and a.name = k.name
    where a.claimed_by = $1 and {_MS.format("a.next_attempt_at")} = k.attempt_ms
    for no key update of a skip locked
)
update object_alarm a set claim_until = clock_timestamp() + make_interval(secs => $5)
from mine where a.object_id = mine.object_id and a.name = mine.name
"""  # noqa: S608 - no value in it


async def read_alarm(database: Database, object_id: ObjectId, name: str) -> Alarm | None:
    """See `core.ports.ObjectStore.alarm`."""
    rows = await database.fetch(READ_ALARM, object_id.uuid, name)
    return alarm_of(rows[0]) if rows else None


async def read_alarms(database: Database, object_id: ObjectId) -> dict[str, Alarm]:
    """See `core.ports.ObjectStore.alarms`."""
    rows = await database.fetch(READ_ALARMS, object_id.uuid)
    return {row["name"]: alarm_of(row) for row in rows}


def alarm_of(row: asyncpg.Record) -> Alarm:
    """The alarm of a row with the `ALARM_COLUMNS`."""
    return Alarm(
        due_ms=row["due_ms"],
        next_attempt_ms=row["next_ms"],
        counted_attempts=row["counted_attempts"],
        uncounted_attempts=row["uncounted_attempts"],
        payload=row["payload"],
        every_ms=row["every_ms"],
        failure=_failure(row) if row["failed_ms"] is not None else None,
    )


def _failure(row: asyncpg.Record) -> AlarmFailure:
    return AlarmFailure(
        error_class=row["error_class"] or "",
        error_text=row["error_text"] or "",
        at_ms=row["failed_ms"],
    )


class PostgresAlarmQueue:
    """See the module and `AlarmQueue`. Cancelling any call is safe.

    Args:
        database: An open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._object_ids = database.object_ids

    async def claim_due(
        self,
        worker_id: WorkerId,
        *,
        limit: int,
        seconds: float,
        each: int = ALARMS_CLAIMED_OF_ONE,
        without: Collection[ObjectId] = (),
    ) -> DueAlarms:
        """See `AlarmQueue.claim_due`. When the answer is lost, the claims end by themselves."""
        busy = [object_id.uuid for object_id in without]
        rows = await self._database.fetch(CLAIM_DUE, worker_id, limit, seconds, each, busy)
        alarms = [self._due(row) for row in rows if row["object_id"] is not None]
        return DueAlarms(alarms, rows[0]["database_ms"], rows[0]["seen"] > len(alarms))

    async def keep(
        self, worker_id: WorkerId, alarms: Collection[DueAlarm], *, seconds: float
    ) -> None:
        """See `AlarmQueue.keep`."""
        keys: tuple[list[Any], ...] = (
            [alarm.object_id.uuid for alarm in alarms],
            [alarm.name for alarm in alarms],
            [alarm.attempt_ms for alarm in alarms],
        )
        await self._database.fetch(KEEP, worker_id, *keys, seconds)

    def _due(self, row: asyncpg.Record) -> DueAlarm:
        return DueAlarm(
            object_id=self._object_ids.from_row(
                row["namespace"], row["object_id"], row["object_name"]
            ),
            name=row["name"],
            due_ms=row["due_ms"],
            attempt_ms=row["attempt_ms"],
        )
