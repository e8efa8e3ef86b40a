"""The commit statement in the forms that keep what they replace.

**Why what is kept is exact.** The values are read in the statement's snapshot. The snapshot's
row of the object had the expected number and epoch, or the scan would not have found it; the
locked row, tested anew, has them too. Rows change only together with the number, so between
snapshot and lock nobody has changed any. The same goes for a late copy: it matches nothing, and
so keeps nothing twice.

**Gaps are seen.** A commit that keeps history notes its own number (`history_seq`). When that of
the last one is not the object's number, something has been committed in between without history:
then the earliest state that can be told is the one that this commit found.

`total_bytes` counts what was ever kept of the object, so how much there is after any commit is
one subtraction, and nobody who prunes has to add up rows.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import UUID

from ..core.history import HISTORY_ROW_BYTES, HistoryRule
from .commit_statement import (
    ALARMS,
    ANSWER,
    DELETE,
    LOCK,
    PLAIN,
    PUT,
    CommitForms,
    Flight,
    commit_call,
)

_CHANGED: Final = """, changed as materialized (
    select p.object_id, p.key, r.value
    from unnest($5::uuid[], $6::bytea[]) as p (object_id, key)
    join locked on locked.object_id = p.object_id{keeps}
    left join object_row r on r.object_id = p.object_id and r.key = p.key"""

_CHANGED_BY_DELETE: Final = """
    union all
    select r.object_id, r.key, r.value
    from unnest($8::uuid[], $9::bytea[]) as d (object_id, key)
    join locked on locked.object_id = d.object_id{keeps}
    join object_row r on r.object_id = d.object_id and r.key = d.key"""

_CHANGED_BY_WIPE: Final = """
    union all
    select r.object_id, r.key, r.value
    from unnest($10::uuid[]) as d (object_id)
    join locked on locked.object_id = d.object_id{keeps}
    join object_row r on r.object_id = d.object_id
    where (r.object_id, r.key) not in (
        select p.object_id, p.key from unnest($5::uuid[], $6::bytea[]) as p (object_id, key)
        where p.key is not null
    )"""

_FENCED: Final = """
), fenced as (
    update object o
    set commit_seq = o.commit_seq + 1, committed_at = now(),
        history_seq = {number},
        history_from = case when o.history_seq = o.commit_seq then o.history_from
                            else o.commit_seq end,
        history_since = case when o.history_seq = o.commit_seq then o.history_since
                             else o.committed_at end,
        history_bytes = o.history_bytes + coalesce(weight.size, 0)
    from locked left join (
        select object_id,
               sum({row_bytes} + octet_length(key) + coalesce(octet_length(value), 0)) as size
        from changed group by object_id
    ) as weight on weight.object_id = locked.object_id
    where o.object_id = locked.object_id
    returning o.object_id, o.commit_seq, o.history_bytes
)"""

_KEPT: Final = """, kept as (
    insert into object_history (object_id, commit_seq, key, value, made_at, total_bytes)
    select c.object_id, f.commit_seq, c.key, c.value, now(), f.history_bytes
    from changed c join fenced f on f.object_id = c.object_id
)"""

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

_WRITTEN: Final = """, put as (
    insert into object_row (object_id, key, value)
    select c.object_id, c.key, c.former from changed c join fenced f on f.object_id = c.object_id
    where c.former is not null
    on conflict (object_id, key) do update set value = excluded.value
), deleted as (
    delete from object_row r using changed c, fenced f
    where c.former is null and f.object_id = c.object_id
      and r.object_id = c.object_id and r.key = c.key
)"""


def _fenced(number: str) -> str:
    """The step that moves the number of the object and the marks of its history."""
    return _FENCED.format(row_bytes=HISTORY_ROW_BYTES, number=number)


COMMIT_RESTORE: Final = _RESTORED + _fenced("o.commit_seq + 1") + _KEPT + _WRITTEN + ANSWER


def history_forms(without: Collection[str] = ()) -> CommitForms:
    """The forms that keep history, except for objects of the namespaces `without`.

    Their names stand in the statement, for every parameter costs each commit something.
    """
    keeps = lock = ""
    number = "o.commit_seq + 1"
    if without:
        names = ", ".join("'" + name.replace("'", "''") + "'" for name in sorted(without))
        lock = f", o.namespace not in ({names}) as keeps"
        keeps = " and locked.keeps"
        number = f"case when locked.keeps then {number} else o.history_seq end"
    head, table, tail = LOCK.partition(" from want ")
    locked = head + lock + table + tail
    changed = _CHANGED.format(keeps=keeps)
    by_delete = changed + _CHANGED_BY_DELETE.format(keeps=keeps)
    by_wipe = by_delete + _CHANGED_BY_WIPE.format(keeps=keeps)
    fenced = _fenced(number)
    return CommitForms(
        locked + changed + fenced + PUT + _KEPT + ANSWER,
        locked + by_delete + fenced + PUT + DELETE + _KEPT + ANSWER,
        locked + by_wipe + fenced + PUT + DELETE + ALARMS + _KEPT + ANSWER,
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
