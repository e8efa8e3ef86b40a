"""How large objects are: their rows counted and added up, in pieces of bounded work.

The bytes of large values are not read for it: what is stored out of line says how long it is.
A size is that of one moment for small objects; while a large one is measured piece by piece it
may change, so it is known as of the commit number at the beginning.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple
from uuid import UUID

from ..core.ids import CommitSeq
from ..core.listing import ListedObject
from .database import Database

SMALL_ROWS: Final = 500
"""An object with no more rows is measured together with others."""
PIECE_ROWS: Final = 20_000
"""So many rows of a larger one are measured by one statement."""

# $1 objects, $2 rows.
_SMALL: Final = """
select o.object_id, o.commit_seq, m.rows, m.bytes,
       (extract(epoch from clock_timestamp()) * 1000)::int8 as now_ms
from unnest($1::uuid[]) as w (object_id) join object o on o.object_id = w.object_id
cross join lateral (
    select count(*) as rows, coalesce(sum(octet_length(p.key) + octet_length(p.value)), 0)::int8
           as bytes
    from (
        select r.key, r.value from object_row r where r.object_id = w.object_id
        order by r.key limit $2
    ) as p
) as m
"""

# $1 object, $2 the first key, $3 rows.
_PIECE: Final = """
with piece as materialized (
    select key, octet_length(key) + octet_length(value) as size from object_row
    where object_id = $1 and key >= $2 order by key limit $3
)
select count(*) as rows, coalesce(sum(size), 0)::int8 as bytes,
       (select key from piece order by key desc limit 1) as last
from piece
"""


class Measured(NamedTuple):
    """How large an object was when it had `commit_seq` commits."""

    uuid: UUID
    commit_seq: CommitSeq
    rows: int
    size_bytes: int
    at_ms: int


async def measure_small(database: Database, objects: Sequence[UUID]) -> list[Measured]:
    """Measure objects; those that may have more rows than SMALL_ROWS come back with one more.

    Objects that do not exist are missing from the answer.

    Raises:
        StoreUnavailable: The database is away.
    """
    rows = await database.fetch(_SMALL, list(objects), SMALL_ROWS + 1)
    return [
        Measured(
            row["object_id"], CommitSeq(row["commit_seq"]), row["rows"], row["bytes"], row["now_ms"]
        )
        for row in rows
    ]


async def measure_large(database: Database, first: Measured) -> Measured:
    """Measure an object with many rows, piece by piece.

    Args:
        database: An open database.
        first: What `measure_small` said of it.

    Raises:
        StoreUnavailable: The database is away.
    """
    count = size = 0
    start = b""
    more = True
    while more:
        (piece,) = await database.fetch(_PIECE, first.uuid, start, PIECE_ROWS)
        count += piece["rows"]
        size += piece["bytes"]
        more = piece["rows"] == PIECE_ROWS
        start = (piece["last"] or b"") + b"\0"  # the next key that there can be
    return first._replace(rows=count, size_bytes=size)


async def measured(database: Database, found: ListedObject) -> ListedObject:
    """The same object with the size of now, if it is small.

    Raises:
        StoreUnavailable: The database is away.
    """
    for now in await measure_small(database, [found.object_id.uuid]):
        if now.rows <= SMALL_ROWS:
            return replace(
                found,
                size_bytes=now.size_bytes,
                rows=now.rows,
                sized_ms=now.at_ms,
                size_current=now.commit_seq == found.commit_seq,
            )
    return found
