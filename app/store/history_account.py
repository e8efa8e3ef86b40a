"""How much history each object has: counted behind the commits, by those who prune.

A commit writes what it replaces and adds nothing up: summing the sizes in its statement cost as
much again as keeping the values. So the pruning keeps an account of each object, the sum of what
is kept up to a certain commit, and brings it up to date when it comes by: each kept value is
looked at once more, a bounded number a statement.

**The sum is exact** for what it covers. It is changed under a lock of the account's row, by the
difference, and only what is counted is ever removed (`history_pruning`), so nothing is counted
that is gone and nothing is subtracted that was not counted. Commits of an object become visible
in the order of their numbers, so whoever sees one sees all before it. Losing an account loses
nothing: it is counted again from the first value that there is.
"""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from ..core.history import HISTORY_ROW_BYTES
from .database import Database

COUNT_ROWS: Final = 2_000
"""About how many values of one object one statement counts; a commit is counted whole."""

WEIGHT: Final = (
    f"({HISTORY_ROW_BYTES} + octet_length(h.key) + coalesce(octet_length(h.value), 0))::int8"
)
"""What one kept value weighs."""

# $1 objects, $2 values of each. An account that somebody else has locked waits for the next time,
# and so does one that somebody else makes meanwhile.
COUNT: Final = f"""
with wanted as materialized (
    select object_id from unnest($1::uuid[]) as w (object_id)
), locked as materialized (
    select s.object_id, s.counted_seq from history_account s
    where s.object_id = any($1) order by s.object_id for update skip locked
), mark as materialized (
    select object_id, counted_seq from locked
    union all
    select w.object_id, 0::int8 from wanted w
    where not exists (select from history_account s where s.object_id = w.object_id)
), counted as materialized (
    select mark.object_id, upto.last, added.size_bytes, upto.more
    from mark cross join lateral (
        select max(next.commit_seq) as last, count(*) >= $2 as more from (
            select h.commit_seq from object_history h
            where h.object_id = mark.object_id and h.commit_seq > mark.counted_seq
            order by h.commit_seq limit $2
        ) as next
    ) as upto cross join lateral (
        select sum({WEIGHT})::int8 as size_bytes from object_history h
        where h.object_id = mark.object_id
          and h.commit_seq > mark.counted_seq and h.commit_seq <= upto.last
    ) as added
    where upto.last is not null
), brought as (
    update history_account s
    set counted_seq = c.last, size_bytes = s.size_bytes + c.size_bytes
    from counted c join locked on locked.object_id = c.object_id
    where s.object_id = c.object_id and s.object_id = any($1)
    returning s.object_id, s.size_bytes
), made as (
    insert into history_account (object_id, counted_seq, size_bytes)
    select c.object_id, c.last, c.size_bytes from counted c
    where not exists (select from locked where locked.object_id = c.object_id)
    order by c.object_id
    on conflict do nothing
    returning object_id, size_bytes
)
select now.object_id, now.size_bytes, c.more
from (select * from brought union all select * from made) as now
join counted c on c.object_id = now.object_id
"""  # noqa: S608 - no value in it

# $1 object. Should one of its values be counted this very moment, the next count begins anew.
CLOSE: Final = """
delete from history_account s where s.object_id = $1
  and not exists (select from object_history h where h.object_id = $1)
"""


async def count_history(database: Database, objects: Collection[UUID]) -> dict[UUID, int]:
    """Bring the accounts of some objects up to date; returns the new sums of those that grew.

    Raises:
        StoreUnavailable: The database is away.
    """
    sums: dict[UUID, int] = {}
    left = list(objects)
    while left:
        rows = await database.fetch(COUNT, left, COUNT_ROWS)
        sums.update((row["object_id"], row["size_bytes"]) for row in rows)
        left = [row["object_id"] for row in rows if row["more"]]
    return sums
