"""The commit statement in the forms that keep what they replace.

**Why what is kept is exact.** The values are read in the statement's snapshot. The snapshot's
row of the object had the expected number and epoch, or the scan would not have found it; the
locked row, tested anew, has them too. Rows change only together with the number, so between
snapshot and lock nobody has changed any. The same goes for a late copy: it matches nothing, and
so keeps nothing twice.

**Gaps are seen.** A commit that keeps history notes its own number (`history_seq`). When that of
the last one is not the object's number, something has been committed in between without history:
then the earliest state that can be told is the one that this commit found.

**What it weighs is counted by who prunes** (`history_account`), not here: adding up what a commit
keeps cost it as much again as keeping it. `object.history_bytes` and `total_bytes` are what
releases before this one counted, left as they stand so that those find nothing to prune by them.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import UUID

from ..core.history import HistoryRule
from .commit_statement import (
    ALARMS,
    ANSWER,
    DELETE,
    DELETE_ONE,
    LOCK,
    LOCK_ONE,
    PLAIN,
    PUT,
    PUT_ONE,
    PUT_VALUE,
    CommitForms,
    Flight,
    commit_call,
)

_MARKS: Final = """, fenced as (
    update object o
    set commit_seq = o.commit_seq + 1, committed_at = now(),
        history_seq = {number},
        history_from = case when o.history_seq = o.commit_seq then o.history_from
                            else o.commit_seq end,
        history_since = case when o.history_seq = o.commit_seq then o.history_since
                             else o.committed_at end
    from locked where {found}
    returning o.object_id, o.commit_seq, o.history_bytes{keeps}
)"""

_KEPT: Final = """, kept as (
    insert into object_history (object_id, commit_seq, key, value, made_at, total_bytes)
    select f.object_id, f.commit_seq, p.key,
           (select r.value from object_row r where r.object_id = f.object_id and r.key = p.key),
           now(), f.history_bytes
    from unnest($5::uuid[], $6::bytea[]) as p (object_id, key)
    join fenced f on f.object_id = p.object_id{keeps}"""

_KEPT_OF_DELETES: Final = """
    union all
    select f.object_id, f.commit_seq, d.key, r.value, now(), f.history_bytes
    from unnest($8::uuid[], $9::bytea[]) as d (object_id, key)
    join fenced f on f.object_id = d.object_id{keeps}
    cross join lateral (
        select value from object_row r where r.object_id = d.object_id and r.key = d.key offset 0
    ) as r"""

_KEPT_OF_WIPES: Final = """
    union all
    select f.object_id, f.commit_seq, r.key, r.value, now(), f.history_bytes
    from unnest($10::uuid[]) as d (object_id)
    join fenced f on f.object_id = d.object_id{keeps}
    join object_row r on r.object_id = any(array[d.object_id])
    where (r.object_id, r.key) not in (
        select p.object_id, p.key from unnest($5::uuid[], $6::bytea[]) as p (object_id, key)
        where p.key is not null
    )"""

_KEPT_ONE: Final = """, kept as (
    insert into object_history (object_id, commit_seq, key, value, made_at, total_bytes)
    select f.object_id, f.commit_seq, p.key,
           (select r.value from object_row r where r.object_id = $2 and r.key = p.key),
           now(), f.history_bytes
    from fenced f, unnest($5::bytea[]) as p (key)"""

_KEPT_VALUE: Final = """, kept as (
    insert into object_history (object_id, commit_seq, key, value, made_at, total_bytes)
    select f.object_id, f.commit_seq, $5,
           (select r.value from object_row r where r.object_id = $2 and r.key = $5),
           now(), f.history_bytes
    from fenced f"""

_KEPT_OF_DELETES_ONE: Final = """
    union all
    select f.object_id, f.commit_seq, r.key, r.value, now(), f.history_bytes
    from fenced f join object_row r on r.object_id = $2 and r.key = any($7::bytea[])"""

_END: Final = "\n)"

# $1 worker, $2 object, $3 epoch, $4 number, $5 the number of the state that is restored. What
# was is compared with what is inside the database: no row travels.
_RESTORED: Final = """
with locked as materialized (
    select o.object_id from object o
    where o.object_id = $2 and o.worker_id = $1 and o.epoch = $3 and o.commit_seq = $4
      and o.history_seq = o.commit_seq and o.history_from <= $5
    for no key update of o skip locked
), past as materialized (
    select distinct on (h.key) h.key, h.value
    from object_history h join locked on locked.object_id = h.object_id
    where h.object_id = $2 and h.commit_seq > $5
    order by h.key, h.commit_seq
), changed as materialized (
    select $2::uuid as object_id, past.key, r.value, past.value as former
    from past left join object_row r on r.object_id = $2 and r.key = past.key
    where r.value is distinct from past.value"""

_WRITTEN: Final = """, kept as (
    insert into object_history (object_id, commit_seq, key, value, made_at, total_bytes)
    select f.object_id, f.commit_seq, c.key, c.value, now(), f.history_bytes
    from changed c join fenced f on f.object_id = c.object_id
), put as (
    insert into object_row (object_id, key, value)
    select c.object_id, c.key, c.former from changed c join fenced f on f.object_id = c.object_id
    where c.former is not null
    on conflict (object_id, key) do update set value = excluded.value
), deleted as (
    delete from object_row r using changed c, fenced f
    where c.former is null and f.object_id = c.object_id
      and r.object_id = c.object_id and r.key = c.key
)"""


def _marks(found: str, *, number: str = "o.commit_seq + 1", keeps: str = "") -> str:
    """The step that moves the number of the object and the marks of its history."""
    return _MARKS.format(found=found, number=number, keeps=keeps)


_FENCED_ONE: Final = _marks("o.object_id = locked.object_id and o.object_id = $2")
COMMIT_RESTORE: Final = _RESTORED + _END + _FENCED_ONE + _WRITTEN + ANSWER


def history_forms(without: Collection[str] = ()) -> CommitForms:
    """The forms that keep history, except for objects of the namespaces `without`.

    Their names stand in the statement, for every parameter costs each commit something. A room
    that is alone is not among them: its call would take the plain forms.
    """
    keeps = ""
    lock, found = LOCK, "o.object_id = any(array[locked.object_id])"
    fenced = _marks(found)
    if without:
        names = ", ".join("'" + name.replace("'", "''") + "'" for name in sorted(without))
        head, table, tail = LOCK.partition(" from want ")
        lock = f"{head}, o.namespace not in ({names}) as keeps{table}{tail}"
        number = "case when locked.keeps then o.commit_seq + 1 else o.history_seq end"
        fenced = _marks(found, number=number, keeps=", locked.keeps")
        keeps = " and f.keeps"
    kept = _KEPT.format(keeps=keeps)
    kept_deletes = kept + _KEPT_OF_DELETES.format(keeps=keeps)
    kept_all = kept_deletes + _KEPT_OF_WIPES.format(keeps=keeps)
    head, head_one = lock + fenced, LOCK_ONE + _FENCED_ONE
    return CommitForms(
        head + PUT + kept + _END + ANSWER,
        head + PUT + DELETE + kept_deletes + _END + ANSWER,
        head + PUT + DELETE + ALARMS + kept_all + _END + ANSWER,
        head_one + PUT_ONE + _KEPT_ONE + _END + ANSWER,
        head_one + PUT_ONE + DELETE_ONE + _KEPT_ONE + _KEPT_OF_DELETES_ONE + _END + ANSWER,
        head_one + PUT_VALUE + _KEPT_VALUE + _END + ANSWER,
    )


class CommitCalls:
    """Which statement commits a group.

    Args:
        rule: Which objects keep history.
    """

    def __init__(self, rule: HistoryRule) -> None:
        self._rule = rule
        self._forms = history_forms(rule.without) if rule.seconds > 0 else PLAIN

    def call(self, worker_id: UUID, flights: Sequence[Flight]) -> tuple[str, tuple[Any, ...]]:
        """The statement that commits these flights, and its arguments.

        One that restores must be alone. It is sent once: a second try might take as long as the
        first that was not answered in time, so then an empty commit finds out what came of it.
        """
        batch = flights[0].batch
        if batch.restore is not None and not (flights[0].applied or flights[0].doubtful):
            return COMMIT_RESTORE, (
                worker_id,
                batch.object_id.uuid,
                batch.epoch,
                flights[0].number,
                batch.restore,
            )
        forms = self._forms
        if self._rule.without and not any(
            self._rule.keeps(flight.batch.object_id.namespace) for flight in flights
        ):
            forms = PLAIN
        return commit_call(worker_id, flights, forms)
