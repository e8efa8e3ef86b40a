"""Earlier states of objects: the Postgres side of `core.history.ObjectHistory`.

Every statement tests for itself whether the state can be told, in the snapshot that it reads
rows and history in. So a page of the past is exact whatever is committed or pruned meanwhile, and
a state is the same in every statement that reads it.

What a state costs to read grows with what was changed since, not with how long ago it was.
"""

from collections.abc import Collection
from typing import Any, Final

import asyncpg

from ..core.errors import BookmarkExpired, BookmarkUnknown
from ..core.history import DifferencePage, HistoryEntry, HistoryStand, RowDifference
from ..core.ids import CommitSeq, ObjectId
from ..core.limits import PAGE_BYTES, PAGE_ROWS
from ..core.values import KeyRange, Page
from .database import Database

_MS: Final = "(extract(epoch from {}) * 1000)::int8"
_OLDEST: Final = "case when o.history_seq = o.commit_seq then o.history_from else o.commit_seq end"

# $1 object. A commit without history, and one that is none, leave the present alone.
STAND: Final = f"""
select o.commit_seq, {_OLDEST} as oldest,
       {_MS.format("o.created_at")} as created_ms,
       {_MS.format("coalesce(o.committed_at, o.created_at)")} as committed_ms,
       case when o.history_seq = o.commit_seq
            then {_MS.format("coalesce(o.history_since, o.created_at)")}
            else {_MS.format("coalesce(o.committed_at, o.created_at)")} end as oldest_ms
from object o where o.object_id = $1
"""  # noqa: S608 - no value in it

# $1 object, $2 number (exclusive), $3 rows
ENTRIES: Final = f"""
select commit_seq, {_MS.format("min(made_at)")} as made_ms, count(*) as keys,
       sum(octet_length(key) + coalesce(octet_length(value), 0)) as size_bytes
from object_history where object_id = $1 and commit_seq < $2
group by commit_seq order by commit_seq desc limit $3
"""  # noqa: S608 - no value in it

# $1 object, $2 number
MADE: Final = f"""
select {_MS.format("made_at")} as made_ms from object_history
where object_id = $1 and commit_seq <= $2 order by commit_seq desc limit 1
"""  # noqa: S608 - no value in it

# $1 object, $2 number
FROM: Final = f"""
select commit_seq, {_MS.format("made_at")} as made_ms from object_history
where object_id = $1 and commit_seq >= $2 order by commit_seq limit 1
"""  # noqa: S608 - no value in it

# `stand` has one row if the state of $2 can be told.
_STAND: Final = f"""
with known as materialized (
    select o.object_id, o.commit_seq >= $2 as made, {_OLDEST} <= $2 as kept
    from object o where o.object_id = $1
), stand as materialized (
    select object_id from known where made and kept
)"""  # noqa: S608 - no value in it

# $1 object, $2 number, $3 start, $4 end, $5 rows, $6 bytes
_PAST_PAGE: Final = """, past as materialized (
    select distinct on (key) key, value from object_history
    where object_id = (select object_id from stand) and commit_seq > $2 {bounds}
    order by key, commit_seq
), first_rows as (
    (select key, value from past where value is not null order by key {order} limit $5 + 1)
    union all
    (select r.key, r.value from (
        select key, value from object_row
        where object_id = (select object_id from stand) {bounds}
     ) as r where not exists (select from past where past.key = r.key)
     order by r.key {order} limit $5 + 1)
    order by key {order} limit $5 + 1
), page as materialized (
    select key, value, sum(octet_length(key) + octet_length(value)) over upto as size,
           row_number() over upto as number
    from first_rows window upto as (order by key {order} rows unbounded preceding)
)
select known.made, known.kept, page.key, case when wanted then page.value end as value, wanted
from known left join (
    select *, number = 1 or (number <= $5 and size <= $6) as wanted from page
) as page on true
order by page.key {order}
"""
_SCAN: Final = _STAND + _PAST_PAGE

# $1 object, $2 number, $3 keys
_PAST_KEYS: Final = """, past as materialized (
    select distinct on (key) key, value from object_history
    where object_id = (select object_id from stand) and commit_seq > $2 and key = any($3::bytea[])
    order by key, commit_seq
), found as (
    select key, value from past where value is not null
    union all
    select r.key, r.value from object_row r
    where r.object_id = (select object_id from stand) and r.key = any($3::bytea[])
      and not exists (select from past where past.key = r.key)
)
select known.made, known.kept, found.key, found.value
from known left join found on true
"""
READ: Final = _STAND + _PAST_KEYS

# $1 object, $2 the earlier number, $3 the later, $4 start, $5 rows, $6 bytes
DIFFERENCES: Final = f"""
with known as materialized (
    select o.object_id, o.commit_seq >= $3 as made, {_OLDEST} <= $2 as kept
    from object o where o.object_id = $1
), stand as materialized (
    select object_id from known where made and kept
), earlier as materialized (
    select distinct on (key) key, value from object_history
    where object_id = (select object_id from stand) and commit_seq > $2 and commit_seq <= $3
      and key >= $4
    order by key, commit_seq
), since as materialized (
    select distinct on (h.key) h.key, h.value from object_history h
    join earlier on earlier.key = h.key
    where h.object_id = $1 and h.commit_seq > $3
    order by h.key, h.commit_seq
), page as materialized (
    select pair.*, row_number() over upto as number,
           sum(octet_length(key) + coalesce(octet_length(before), 0)
               + coalesce(octet_length(after), 0)) over upto as size
    from (
        select e.key, e.value as before,
               case when since.key is not null then since.value else r.value end as after
        from earlier e
        left join since on since.key = e.key
        left join object_row r on r.object_id = $1 and r.key = e.key
    ) as pair
    where before is distinct from after
    window upto as (order by key rows unbounded preceding)
    order by key limit $5 + 1
)
select known.made, known.kept, page.key, wanted,
       case when wanted then page.before end as before,
       case when wanted then page.after end as after
from known left join (
    select *, number = 1 or (number <= $5 and size <= $6) as wanted from page
) as page on true
order by page.key
"""  # noqa: S608 - no value in it


def scan_statement(wanted: KeyRange) -> str:
    """The statement for a range of the past; see `storage.scan_statement`."""
    low = "and key >= $3" if wanted.start is not None else "and $3::bytea is null"
    high = "and key < $4" if wanted.end is not None else "and $4::bytea is null"
    return _SCAN.format(bounds=f"{low} {high}", order="desc" if wanted.reverse else "asc")


class PostgresObjectHistory:
    """See the module and `ObjectHistory`. Cancelling any call is safe.

    Args:
        database: An open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stand(self, object_id: ObjectId) -> HistoryStand | None:
        """See `ObjectHistory.stand`."""
        rows = await self._database.fetch(STAND, object_id.uuid)
        return HistoryStand(object_id=object_id, **rows[0]) if rows else None

    async def entries(
        self, object_id: ObjectId, *, before: CommitSeq | None = None, limit: int
    ) -> list[HistoryEntry]:
        """See `ObjectHistory.entries`."""
        below = (1 << 63) - 1 if before is None else before
        rows = await self._database.fetch(ENTRIES, object_id.uuid, below, limit)
        return [HistoryEntry(**row) for row in rows]

    async def made_ms(self, stand: HistoryStand, commit_seq: CommitSeq) -> int:
        """See `ObjectHistory.made_ms`."""
        stand.check(commit_seq)
        if commit_seq == stand.commit_seq:
            return stand.committed_ms
        rows = await self._database.fetch(MADE, stand.object_id.uuid, commit_seq)
        return max(stand.oldest_ms, rows[0]["made_ms"]) if rows else stand.oldest_ms

    async def commit_at(self, stand: HistoryStand, at_ms: int) -> CommitSeq:
        """See `ObjectHistory.commit_at`. Some twenty look-ups in one index, by halving."""
        if at_ms >= stand.committed_ms:
            return stand.commit_seq
        if at_ms < stand.oldest_ms:
            raise BookmarkExpired
        # The first commit after that time is in (low, high]; commit `low` is not after it.
        low, high = int(stand.oldest), int(stand.commit_seq)
        while high - low > 1:
            middle = (low + high) // 2
            rows = await self._database.fetch(FROM, stand.object_id.uuid, middle)
            if not rows or rows[0]["commit_seq"] > high or rows[0]["made_ms"] > at_ms:
                high = middle
            else:
                low = rows[0]["commit_seq"]
        return CommitSeq(low)

    async def scan(self, object_id: ObjectId, commit_seq: CommitSeq, wanted: KeyRange) -> Page:
        """See `ObjectHistory.scan`."""
        rows = PAGE_ROWS if wanted.limit is None else min(PAGE_ROWS, wanted.limit)
        bounds = (wanted.start, wanted.end, rows, PAGE_BYTES)
        found = await self._database.fetch(
            scan_statement(wanted), object_id.uuid, commit_seq, *bounds
        )
        _check(found)
        page = [(row["key"], row["value"]) for row in found if row["wanted"]]
        more = sum(row["key"] is not None for row in found) > len(page)
        if wanted.limit is not None and len(page) >= wanted.limit:
            more = False
        return Page(rows=page, more=more)

    async def read(
        self, object_id: ObjectId, commit_seq: CommitSeq, keys: Collection[bytes]
    ) -> dict[bytes, bytes]:
        """See `ObjectHistory.read`."""
        found = await self._database.fetch(READ, object_id.uuid, commit_seq, list(keys))
        _check(found)
        return {row["key"]: row["value"] for row in found if row["key"] is not None}

    async def differences(
        self,
        object_id: ObjectId,
        first: CommitSeq,
        second: CommitSeq,
        *,
        start: bytes | None = None,
        limit: int,
    ) -> DifferencePage:
        """See `ObjectHistory.differences`."""
        low, high = min(first, second), max(first, second)
        arguments: tuple[Any, ...] = (low, high, start or b"", limit, PAGE_BYTES)
        found = await self._database.fetch(DIFFERENCES, object_id.uuid, *arguments)
        _check(found)
        rows = [_difference(row, back=first > second) for row in found if row["wanted"]]
        more = sum(row["key"] is not None for row in found) > len(rows)
        return DifferencePage(rows=rows, more=more)


def _difference(row: asyncpg.Record, *, back: bool) -> RowDifference:
    before, after = row["before"], row["after"]
    if back:
        before, after = after, before
    return RowDifference(key=row["key"], before=before, after=after)


def _check(found: list[asyncpg.Record]) -> None:
    """Every answer tells in each row whether the state can be told."""
    if not found or not found[0]["made"]:
        raise BookmarkUnknown
    if not found[0]["kept"]:
        raise BookmarkExpired
