"""The one statement of a group commit: many rooms, one round trip, each room fenced.

What it promises, room by room (shown in reference: proofs, A):

* A room is written only if its epoch, its worker and its commit number are what the batch says,
  tested under the row lock; then the number is one more. Rooms that fail change nothing and
  are missing from the answer; they hold up nobody.
* Rooms are locked in the order of their ids in a materialised step of its own, so two groups
  never deadlock; a room that somebody else has locked is skipped, so it stalls nobody.
* A key stands in one of the lists only: Postgres promises nothing about a row that is deleted
  and written in the same statement. A wipe spares the keys that are put. Alarms likewise.

The parameters are arrays side by side. Each has its price in the driver and in the server,
whatever is in it, so there are several forms and a group takes the shortest that will do: puts
alone; with deletes; with alarms and wipes (which end alarms too). A room that is alone in its
group, as in an idle service every room is, needs no arrays of rooms and nothing sorted: a form
of its own costs the server a third less. Most often it has changed a single value, and then
neither the keys nor the values are arrays: that is another eighth.

**No table is ever walked, whatever the plan.** It is made once for each connection, perhaps on
empty tables, where the planner takes a walk through a whole index for as good as any look-up,
and it is kept while the tables grow. So a step that finds rows of a table asks for them one by
one, in forms that leave the planner nothing to turn round: `= any(array[...])` of another step's
column can be looked up in an index, and neither that nor `is not distinct from` can be hashed or
merged; and no order of a table is asked for, or its index would be walked to get it. What is
joined without a table is hashed (`SESSION`), or its cost would grow with the
square of the group.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from ..core.ids import CommitSeq
from ..core.ports import BatchSource
from ..core.values import Alarm, AlarmWrites, WriteBatch

# $1 worker; $2 objects, $3 epochs, $4 numbers; $5 objects, $6 keys, $7 values of the puts
LOCK: Final = """
with want as materialized (
    select * from unnest($2::uuid[], $3::int8[], $4::int8[]) as w (object_id, epoch, expected)
), locked as materialized (
    select o.object_id from want join object o on o.object_id = any(array[want.object_id])
    where o.worker_id = $1
      and o.epoch is not distinct from want.epoch
      and o.commit_seq is not distinct from want.expected
    order by want.object_id
    for no key update of o skip locked
)"""

_FENCED: Final = """, fenced as (
    update object o set commit_seq = o.commit_seq + 1, committed_at = now()
    from locked where o.object_id = any(array[locked.object_id])
    returning o.object_id
)"""

PUT: Final = """, put as (
    insert into object_row (object_id, key, value)
    select p.* from unnest($5::uuid[], $6::bytea[], $7::bytea[]) as p (object_id, key, value)
    join fenced on fenced.object_id = p.object_id
    on conflict (object_id, key) do update set value = excluded.value
)"""

# $8 objects, $9 keys of the deletes. By place: rows change only together with the number, so
# none has moved since the snapshot.
DELETE: Final = """, deleted as (
    delete from object_row where ctid = any(array(
        select (
            select r.ctid from object_row r where r.object_id = d.object_id and r.key = d.key
        ) from unnest($8::uuid[], $9::bytea[]) as d (object_id, key)
        join fenced on fenced.object_id = d.object_id
    ))
)"""

# $1 worker, $2 object, $3 epoch, $4 number; $5 keys, $6 values of the puts
LOCK_ONE: Final = """
with locked as materialized (
    select o.object_id from object o
    where o.object_id = $2 and o.worker_id = $1 and o.epoch = $3 and o.commit_seq = $4
    for no key update of o skip locked
)"""

_FENCED_ONE: Final = """, fenced as (
    update object o set commit_seq = o.commit_seq + 1, committed_at = now()
    from locked where o.object_id = locked.object_id and o.object_id = $2
    returning o.object_id
)"""

PUT_ONE: Final = """, put as (
    insert into object_row (object_id, key, value)
    select fenced.object_id, p.* from fenced, unnest($5::bytea[], $6::bytea[]) as p (key, value)
    on conflict (object_id, key) do update set value = excluded.value
)"""

# $5 key, $6 value of the only put
PUT_VALUE: Final = """, put as (
    insert into object_row (object_id, key, value)
    select fenced.object_id, $5, $6 from fenced
    on conflict (object_id, key) do update set value = excluded.value
)"""

# $7 keys of the deletes
DELETE_ONE: Final = """, deleted as (
    delete from object_row r using fenced where r.object_id = $2 and r.key = any($7::bytea[])
)"""

# $10 wiped objects; $11 to $21 the alarms that are set, $22 objects, $23 names of those deleted.
# A claim never waits for a lock (`alarms`), so waiting for one here cannot end in a deadlock.
ALARMS: Final = """, wiped as (
    delete from object_row r
    using unnest($10::uuid[]) as d (object_id) join fenced on fenced.object_id = d.object_id
    where r.object_id = any(array[d.object_id])
      and (r.object_id, r.key) not in (
          select p.object_id, p.key from unnest($5::uuid[], $6::bytea[]) as p (object_id, key)
          where p.key is not null
      )
), alarmed as (
    insert into object_alarm (
        object_id, name, due_at, next_attempt_at, counted_attempts, uncounted_attempts,
        payload, every_ms, error_class, error_text, failed_at
    )
    select s.object_id, s.name, to_timestamp(s.due_ms / 1000.0), to_timestamp(s.next_ms / 1000.0),
           s.counted, s.uncounted, s.payload, s.every_ms,
           s.error_class, s.error_text, to_timestamp(s.failed_ms / 1000.0)
    from unnest(
        $11::uuid[], $12::text[], $13::int8[], $14::int8[], $15::int4[], $16::int4[],
        $17::bytea[], $18::int8[], $19::text[], $20::text[], $21::int8[]
    ) as s (
        object_id, name, due_ms, next_ms, counted, uncounted, payload, every_ms,
        error_class, error_text, failed_ms
    )
    join fenced on fenced.object_id = s.object_id
    on conflict (object_id, name) do update set
        due_at = excluded.due_at, next_attempt_at = excluded.next_attempt_at,
        counted_attempts = excluded.counted_attempts,
        uncounted_attempts = excluded.uncounted_attempts,
        payload = excluded.payload, every_ms = excluded.every_ms,
        error_class = excluded.error_class, error_text = excluded.error_text,
        failed_at = excluded.failed_at,
        claimed_by = null, claim_until = null
), silenced as (
    delete from object_alarm a
    using unnest($22::uuid[], $23::text[]) as d (object_id, name)
    join fenced on fenced.object_id = d.object_id
    where a.object_id = any(array[d.object_id]) and a.name = any(array[d.name])
), forgotten as (
    delete from object_alarm a
    using unnest($10::uuid[]) as d (object_id) join fenced on fenced.object_id = d.object_id
    where a.object_id = any(array[d.object_id])
      and (a.object_id, a.name) not in (
          select s.object_id, s.name from unnest($11::uuid[], $12::text[]) as s (object_id, name)
          where s.name is not null
      )
)"""

ANSWER: Final = "\nselect object_id from fenced\n"

COMMIT_PUTS: Final = LOCK + _FENCED + PUT + ANSWER
COMMIT_DELETES: Final = LOCK + _FENCED + PUT + DELETE + ANSWER
COMMIT_ALL: Final = LOCK + _FENCED + PUT + DELETE + ALARMS + ANSWER
COMMIT_PUTS_ONE: Final = LOCK_ONE + _FENCED_ONE + PUT_ONE + ANSWER
COMMIT_DELETES_ONE: Final = LOCK_ONE + _FENCED_ONE + PUT_ONE + DELETE_ONE + ANSWER
COMMIT_VALUE_ONE: Final = LOCK_ONE + _FENCED_ONE + PUT_VALUE + ANSWER


class CommitForms(NamedTuple):
    """The statement in each of its forms; their parameters are the same for all sets of forms.

    Attributes:
        puts: Nothing but puts.
        deletes: Puts and deletes.
        all: Alarms and wipes as well.
        puts_one: As `puts`, for one room alone.
        deletes_one: As `deletes`, for one room alone.
        value_one: One put, for one room alone.
    """

    puts: str
    deletes: str
    all: str
    puts_one: str
    deletes_one: str
    value_one: str


PLAIN: Final = CommitForms(
    COMMIT_PUTS,
    COMMIT_DELETES,
    COMMIT_ALL,
    COMMIT_PUTS_ONE,
    COMMIT_DELETES_ONE,
    COMMIT_VALUE_ONE,
)
"""The forms that keep no history; those that do are made in `commit_history`."""

_NO_FAILURE: Final = (None, None, None)

STATE: Final = """
select object_id, epoch, worker_id, commit_seq,
       case when history_seq = commit_seq then history_from else commit_seq end as oldest
from object where object_id = any($1::uuid[])
"""

SESSION: Final = {
    # With the default the planner makes a custom plan every time: +66 % backend time.
    "plan_cache_mode": "force_generic_plan",
    # The plan is made when the tables may still be empty, and must hold when they are not.
    "enable_seqscan": "off",
    # Where there is a choice, a hash join it is. Where there is none, what is switched off is
    # done all the same, but priced so high that it would be compiled.
    "enable_nestloop": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
"""Settings of a session that commits; behind a pooler ALTER ROLE is the place for them."""


class Flight:
    """One batch on its way.

    Attributes:
        source: Whose it is, to be told.
        batch: What is to be committed.
        number: The commit number that the object must have now.
        doubtful: Whether a copy of it was sent whose answer never came.
        applied: Whether an earlier copy is known to be in; then only an empty commit is sent,
            which proves that nothing older can follow and that it counts.
        tries: How often its row was locked by somebody else.
    """

    __slots__ = ("applied", "batch", "doubtful", "number", "source", "tries")

    def __init__(self, source: BatchSource, batch: WriteBatch) -> None:
        self.source = source
        self.batch = batch
        self.number: CommitSeq = batch.expected
        self.doubtful = False
        self.applied = False
        self.tries = 0


def commit_call(
    worker_id: UUID, flights: Sequence[Flight], forms: CommitForms = PLAIN
) -> tuple[str, tuple[Any, ...]]:
    """The statement that commits these flights, and its arguments."""
    if len(flights) == 1 and not ((batch := flights[0].batch).wipe or batch.alarms):
        return _one_call(worker_id, flights[0], forms)
    objects: list[UUID] = []
    epochs: list[int] = []
    numbers: list[int] = []
    put_objects: list[UUID] = []
    put_keys: list[bytes] = []
    put_values: list[bytes] = []
    erased_objects: list[UUID] = []
    erased_keys: list[bytes] = []
    wiped: list[UUID] = []
    alarms: list[tuple[UUID, AlarmWrites]] = []
    for flight in flights:
        batch = flight.batch
        object_id = batch.object_id.uuid
        objects.append(object_id)
        epochs.append(batch.epoch)
        numbers.append(flight.number)
        if flight.applied:
            continue
        if batch.wipe:
            wiped.append(object_id)
        if batch.alarms:
            alarms.append((object_id, batch.alarms))
        for key, value in batch.entries.items():
            if value is not None:
                put_objects.append(object_id)
                put_keys.append(key)
                put_values.append(value)
            elif not batch.wipe:
                erased_objects.append(object_id)
                erased_keys.append(key)
    puts = (worker_id, objects, epochs, numbers, put_objects, put_keys, put_values)
    if alarms or wiped:
        return forms.all, (*puts, erased_objects, erased_keys, wiped, *_alarm_arrays(alarms))
    if erased_keys:
        return forms.deletes, (*puts, erased_objects, erased_keys)
    return forms.puts, puts


def _one_call(worker_id: UUID, flight: Flight, forms: CommitForms) -> tuple[str, tuple[Any, ...]]:
    """The call for one room alone that has neither alarms nor a wipe."""
    batch = flight.batch
    fence = (worker_id, batch.object_id.uuid, batch.epoch, flight.number)
    if flight.applied:
        return forms.puts_one, (*fence, [], [])
    entries = batch.entries
    if len(entries) == 1:
        ((key, value),) = entries.items()
        if value is not None:
            return forms.value_one, (*fence, key, value)
    values = [*entries.values()]
    if None not in values:
        return forms.puts_one, (*fence, [*entries], values)
    puts = {key: value for key, value in entries.items() if value is not None}
    erased = [key for key, value in entries.items() if value is None]
    return forms.deletes_one, (*fence, [*puts], [*puts.values()], erased)


def _alarm_arrays(alarms: Sequence[tuple[UUID, AlarmWrites]]) -> tuple[list[Any], ...]:
    """The arrays of alarms that are set, column by column, and of those that are deleted."""
    set_: list[tuple[Any, ...]] = []
    deleted: list[tuple[UUID, str]] = []
    for object_id, writes in alarms:
        for name, alarm in writes.items():
            if alarm is None:
                deleted.append((object_id, name))
                continue
            set_.append((object_id, name, *_alarm_row(alarm)))
    return (*_columns(set_, 11), *_columns(deleted, 2))


def _alarm_row(alarm: Alarm) -> tuple[Any, ...]:
    failure = alarm.failure
    return (
        alarm.due_ms,
        alarm.next_attempt_ms,
        alarm.counted_attempts,
        alarm.uncounted_attempts,
        alarm.payload,
        alarm.every_ms,
        *((failure.error_class, failure.error_text, failure.at_ms) if failure else _NO_FAILURE),
    )


def _columns(rows: Sequence[tuple[Any, ...]], count: int) -> list[list[Any]]:
    return [[row[number] for row in rows] for number in range(count)]
