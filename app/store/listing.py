"""Lists of objects, counts and tags: the Postgres side of `core.listing.ObjectListing`.

Lists are read from `object_listing`, which follows the objects in the background
(`listing_refresh`); what is told of each object on a page comes from its own row.
"""

from collections.abc import Collection
from typing import Any, Final

import asyncpg

from ..core.ids import CommitSeq, Epoch, ObjectId, WorkerId
from ..core.listing import (
    BoundedCount,
    ClusterFigures,
    ListedObject,
    ListingPage,
    ListingPosition,
    ListingRequest,
    NamespaceTotals,
)
from .database import Database
from .listing_measure import measured
from .listing_pages import FEW, LIVE_WORKERS, TOLD, PageStatement, probe_statement

_TOTALS: Final = """
select namespace, sum(objects)::int8 as objects, sum(size_bytes)::int8 as size_bytes,
       sum(row_count)::int8 as row_count
from namespace_total group by namespace having sum(objects) > 0 order by namespace
"""

# $1 object
_FIND: Final = f"""
with live as materialized ({LIVE_WORKERS})
select {TOLD}
from object o left join object_listing l on l.object_id = o.object_id
where o.object_id = $1 and o.deleted_at is null
"""  # noqa: S608 - no value in it

# $1 object, $2 namespace, $3 tags. One statement, so nobody sees an object between two sets.
_SET_TAGS: Final = """
with there as materialized (
    select object_id from object where object_id = $1 and deleted_at is null
), gone as (
    delete from object_tag t using there
    where t.object_id = there.object_id and t.tag <> all($3::text[])
), new as (
    insert into object_tag (object_id, tag, namespace)
    select there.object_id, w.tag, $2 from there cross join unnest($3::text[]) as w (tag)
    on conflict (object_id, tag) do nothing
)
select object_id from there
"""

_COUNT_BOUND: Final = 10_000

# Ordered as the indexes are, or all that there is would be read to count a part of it.
_FIGURES: Final = f"""
with live as materialized ({LIVE_WORKERS})
select (select count(*) from live join worker using (worker_id) where state = 'live') as live,
       (select count(*) from live join worker using (worker_id) where state = 'draining')
           as draining,
       (select count(*) from (
           select l.worker_id from live cross join lateral (
               select h.worker_id from object_listing h where h.worker_id = live.worker_id
               order by h.namespace, h.object_id limit {_COUNT_BOUND + 1}
           ) as l limit {_COUNT_BOUND + 1}
       ) as c) as objects_live,
       (select count(*) from (
           select 1 from object_alarm where next_attempt_at is not null
           order by next_attempt_at limit {_COUNT_BOUND + 1}
       ) as c) as alarms_pending,
       pg_database_size(current_database()) as database_bytes
"""  # noqa: S608 - no value in it


class PostgresObjectListing:
    """See the module and `ObjectListing`. Cancelling any call is safe.

    Args:
        database: An open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ids = database.object_ids

    async def page(self, request: ListingRequest) -> ListingPage:
        """See `ObjectListing.page`."""
        where = request.where
        namespaces = sorted(await self._all() if where.namespaces is None else where.namespaces)
        statement = PageStatement(
            where,
            namespaces,
            sort=request.sort,
            descending=request.descending,
            limit=request.limit,
            after=request.after,
        )
        column = await self._narrowest(request, namespaces, statement.narrowing)
        sql, values = statement.walk() if column is None else statement.narrow(column)
        rows = await self._database.fetch(sql, *values)
        return self._page(rows, request.limit, whole=column is not None, window=statement.window)

    async def find(self, object_id: ObjectId) -> ListedObject | None:
        """See `ObjectListing.find`."""
        rows = await self._database.fetch(_FIND, object_id.uuid)
        if not rows:
            return None
        found = self._listed(rows[0])
        if found.size_current:
            return found
        return await measured(self._database, found)

    async def totals(self) -> list[NamespaceTotals]:
        """See `ObjectListing.totals`."""
        return [
            NamespaceTotals(
                namespace=row["namespace"],
                objects=row["objects"],
                size_bytes=row["size_bytes"],
                rows=row["row_count"],
            )
            for row in await self._database.fetch(_TOTALS)
        ]

    async def figures(self) -> ClusterFigures:
        """See `ObjectListing.figures`."""
        (row,) = await self._database.fetch(_FIGURES)
        return ClusterFigures(
            workers_live=row["live"],
            workers_draining=row["draining"],
            objects_live=_bounded(row["objects_live"]),
            alarms_pending=_bounded(row["alarms_pending"]),
            database_bytes=row["database_bytes"],
        )

    async def set_tags(self, object_id: ObjectId, tags: Collection[str]) -> bool:
        """See `ObjectListing.set_tags`."""
        wanted = sorted(set(tags))
        return bool(
            await self._database.fetch(_SET_TAGS, object_id.uuid, object_id.namespace, wanted)
        )

    async def _all(self) -> list[str]:
        return [totals.namespace for totals in await self.totals()]

    async def _narrowest(
        self, request: ListingRequest, namespaces: list[str], columns: list[str]
    ) -> str | None:
        """The column whose conditions fit the fewest objects, if they are few."""
        if not columns:
            return None
        sql, values = probe_statement(request.where, namespaces, columns)
        (counts,) = await self._database.fetch(sql, *values)
        column = min(columns, key=lambda each: int(counts[each]))
        return column if counts[column] <= FEW else None

    def _page(
        self, rows: list[asyncpg.Record], limit: int, *, whole: bool, window: int
    ) -> ListingPage:
        matched = [row for row in rows if row["matched_id"] is not None]
        objects = [self._listed(row) for row in matched[:limit] if row["object_id"] is not None]
        after: ListingPosition | None = None
        if len(matched) > limit:
            last = matched[limit - 1]
            after = ListingPosition(last["sorted"], last["matched_id"])
        elif not whole and rows and rows[0]["seen"] >= window:
            after = ListingPosition(rows[0]["edge"], rows[0]["edge_id"])
        return ListingPage(objects=objects, after=after)

    def _listed(self, row: Any) -> ListedObject:
        measured_once = row["sized_seq"] is not None
        return ListedObject(
            object_id=self._ids.from_row(row["namespace"], row["object_id"], row["name"]),
            worker_id=None if row["worker_id"] is None else WorkerId(row["worker_id"]),
            live=bool(row["live"]),
            epoch=Epoch(row["epoch"]),
            commit_seq=CommitSeq(row["commit_seq"]),
            created_ms=row["created_ms"],
            committed_ms=row["committed_ms"],
            frozen_ms=row["frozen_ms"],
            size_bytes=row["size_bytes"] if measured_once else None,
            rows=row["row_count"] if measured_once else None,
            sized_ms=row["sized_ms"],
            size_current=row["sized_seq"] == row["commit_seq"],
            tags=tuple(row["tags"]),
        )


def _bounded(count: int) -> BoundedCount:
    return BoundedCount(min(count, _COUNT_BOUND), exact=count <= _COUNT_BOUND)
