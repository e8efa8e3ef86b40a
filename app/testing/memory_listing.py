"""The in-memory twin of lists; see `memory` for the others. Its lists are never old."""

from collections.abc import Callable, Collection

from ..core.ids import ObjectId
from ..core.listing import (
    BoundedCount,
    ClusterFigures,
    ListedObject,
    ListingFilter,
    ListingPage,
    ListingPosition,
    ListingRequest,
    NamespaceTotals,
    SortBy,
)
from .memory_database import MemoryDatabase, MemoryObject


class MemoryObjectListing:
    """Twin of `app.store.listing.PostgresObjectListing`; see `core.listing.ObjectListing`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def page(self, request: ListingRequest) -> ListingPage:
        """See `ObjectListing.page`."""
        self._database.check()
        found = [each for each in self._listed() if _fits(each, request.where)]
        found.sort(key=lambda each: _position(each, request.sort), reverse=request.descending)
        if request.after is not None:
            behind = _behind(request.after, descending=request.descending)
            found = [each for each in found if behind(_position(each, request.sort))]
        page = found[: request.limit]
        more = len(found) > len(page)
        return ListingPage(
            objects=page, after=_position(page[-1], request.sort) if more and page else None
        )

    async def find(self, object_id: ObjectId) -> ListedObject | None:
        """See `ObjectListing.find`."""
        self._database.check()
        found = self._database.objects.get(object_id.uuid)
        return None if found is None or found.deleted_ms is not None else self._told(found)

    async def totals(self) -> list[NamespaceTotals]:
        """See `ObjectListing.totals`."""
        self._database.check()
        listed = self._listed()
        return [
            NamespaceTotals(
                namespace=namespace,
                objects=len(of_it),
                size_bytes=sum(each.size_bytes or 0 for each in of_it),
                rows=sum(each.rows or 0 for each in of_it),
            )
            for namespace in sorted({each.object_id.namespace for each in listed})
            if (of_it := [each for each in listed if each.object_id.namespace == namespace])
        ]

    async def figures(self) -> ClusterFigures:
        """See `ObjectListing.figures`; memory has no database on a disk."""
        database = self._database
        database.check()
        live = [worker_id for worker_id in database.workers if database.live(worker_id)]
        draining = sum(database.workers[worker_id].draining for worker_id in live)
        alarms = [row for found in database.objects.values() for row in found.alarms.values()]
        pending = sum(row.alarm.next_attempt_ms is not None for row in alarms)
        return ClusterFigures(
            workers_live=len(live) - draining,
            workers_draining=draining,
            objects_live=BoundedCount(sum(each.live for each in self._listed()), exact=True),
            alarms_pending=BoundedCount(pending, exact=True),
            database_bytes=0,
        )

    async def set_tags(self, object_id: ObjectId, tags: Collection[str]) -> bool:
        """See `ObjectListing.set_tags`."""
        self._database.check()
        found = self._database.objects.get(object_id.uuid)
        if found is None or found.deleted_ms is not None:
            return False
        found.tags = frozenset(tags)
        return True

    def _listed(self) -> list[ListedObject]:
        objects = self._database.objects.values()
        return [self._told(found) for found in objects if found.deleted_ms is None]

    def _told(self, found: MemoryObject) -> ListedObject:
        holder = found.worker_id
        return ListedObject(
            object_id=found.object_id,
            worker_id=holder,
            live=holder is not None and self._database.live(holder),
            epoch=found.epoch,
            commit_seq=found.commit_seq,
            created_ms=found.created_ms,
            committed_ms=found.committed_ms,
            frozen_ms=found.frozen_ms,
            size_bytes=sum(len(key) + len(value) for key, value in found.rows.items()),
            rows=len(found.rows),
            sized_ms=self._database.now_ms(),
            size_current=True,
            tags=tuple(sorted(found.tags, key=str.encode)),
        )


def _position(listed: ListedObject, sort: SortBy) -> ListingPosition:
    uuid = listed.object_id.uuid
    match sort:
        case SortBy.NAME:
            return ListingPosition(listed.object_id.name or "", uuid)
        case SortBy.SIZE:
            return ListingPosition(listed.size_bytes or 0, uuid)
        case SortBy.LAST_COMMIT:
            return ListingPosition(listed.committed_ms or 0, uuid)


def _behind(after: ListingPosition, *, descending: bool) -> Callable[[ListingPosition], bool]:
    return (lambda each: each < after) if descending else (lambda each: each > after)


def _fits(listed: ListedObject, where: ListingFilter) -> bool:
    return all(
        (
            where.namespaces is None or listed.object_id.namespace in where.namespaces,
            (listed.object_id.name or "").startswith(where.prefix),
            where.owner is None or listed.worker_id == where.owner,
            where.live is None or listed.live == where.live,
            where.tag is None or where.tag in listed.tags,
            _within(listed.size_bytes or 0, where.min_bytes, where.max_bytes),
            _committed_within(listed.committed_ms, where),
        )
    )


def _within(number: int, least: int | None, most: int | None) -> bool:
    return (least is None or number >= least) and (most is None or number <= most)


def _committed_within(committed_ms: int | None, where: ListingFilter) -> bool:
    if where.committed_after_ms is not None and (committed_ms or 0) < where.committed_after_ms:
        return False
    before = where.committed_before_ms
    return before is None or (committed_ms is not None and committed_ms < before)
