"""What objects were: bookmarks, rows at a bookmark, differences, and restoring one.

Reading wakes nothing. A restoration is an event at the object's owner: its class does it, or its
rows are put back (docs/guides/time-travel.md).
"""

from datetime import datetime
from typing import Any, Final

from ...cluster.restoring import Restoring
from ...core.admin_errors import FieldFault, FieldsInvalid, KeyUnknown
from ...core.clock import DatabaseClock
from ...core.errors import (
    BookmarkExpired,
    BookmarkUnknown,
    NamespaceUnknown,
    ObjectDeleted,
    ObjectFrozen,
    ObjectUnknown,
    Unsupported,
)
from ...core.history import HistoryEntry, HistoryStand, ObjectHistory, RowDifference
from ...core.ids import CommitSeq, ObjectId
from ...core.storage_codec import expired
from ...core.tagged_json import to_tagged
from .history_models import (
    Difference,
    HistoryEntryTold,
    HistoryPage,
    HistoryQuery,
    RestoredTold,
    RestoreTo,
)
from .known_objects import OBJECT, KnownObjects
from .models import Page, PageQuery, instant_of_ms
from .operation import AdminCall, Operation, Role
from .paging import Keyset
from .storage_models import KeysQuery, StoredEntry
from .stored_entries import entry_of, range_of, valued_entry_of

_HISTORY: Final = f"{OBJECT}/history"
_STATE: Final = f"{_HISTORY}/{{bookmark}}/storage"
_READS: Final = (NamespaceUnknown, ObjectUnknown, BookmarkUnknown, BookmarkExpired)


class HistoryOperations:
    """See the module.

    Args:
        objects: Which objects there are.
        history: What they were.
        restoring: Makes them so again.
        database_clock: The time that values expire by.
    """

    def __init__(
        self,
        objects: KnownObjects,
        history: ObjectHistory,
        restoring: Restoring,
        database_clock: DatabaseClock,
    ) -> None:
        self._objects = objects
        self._history = history
        self._restoring = restoring
        self._clock = database_clock
        self._bookmarks = Keyset("list_bookmarks", int)
        self._keys = Keyset("list_past_keys", bytes)
        self._differences = Keyset("list_differences", bytes)

    def operations(self) -> list[Operation]:
        """What this area offers."""
        return [
            _reading(
                name="list_bookmarks",
                path=_HISTORY,
                summary="List the states that an object was in",
                handle=self._list,
                query=HistoryQuery,
                answer=HistoryPage,
                description="One for each commit that changed rows, the latest first.",
            ),
            _reading(
                name="list_past_keys",
                path=_STATE,
                summary="List the keys that an object stored at a bookmark",
                handle=self._list_keys,
                query=KeysQuery,
                answer=Page[StoredEntry],
            ),
            _reading(
                name="get_past_key",
                path=f"{_STATE}/{{key}}",
                summary="Read one value as it was at a bookmark",
                handle=self._get_key,
                answer=StoredEntry,
                errors=(*_READS, KeyUnknown),
            ),
            _reading(
                name="list_differences",
                path=f"{_HISTORY}/{{bookmark}}/diff/{{other}}",
                summary="Compare two states of an object",
                handle=self._diff,
                query=PageQuery,
                answer=Page[Difference],
                description="Either may be the earlier one. Expired values are shown as they lay.",
            ),
            self._restoration(),
        ]

    def _restoration(self) -> Operation:
        return Operation(
            name="restore_object",
            method="POST",
            path=f"{OBJECT}/restore",
            role=Role.ADMIN,
            tag="history",
            summary="Make an object what it was at a bookmark or a time",
            handle=self._restore,
            body=RestoreTo,
            answer=RestoredTold,
            errors=(*_READS, ObjectDeleted, ObjectFrozen, Unsupported),
            description=(
                "It is all done or nothing is. Sockets stay; alarms stay as they are. Clients "
                "of a TinyBase room follow: the content is written as new changes."
            ),
        )

    async def _stand(self, object_id: ObjectId) -> HistoryStand:
        stand = await self._history.stand(object_id)
        if stand is None:
            raise ObjectUnknown
        return stand

    async def _list(self, call: AdminCall) -> HistoryPage:
        query: HistoryQuery = call.query
        object_id = self._objects.named(call)
        stand = await self._stand(object_id)
        asked = self._bookmarks.slice(query)
        before: int | None = None
        if asked.after is not None:
            before = asked.after[0]
        elif query.before is not None:
            before = await self._history.commit_at(stand, _milliseconds(query.before)) + 1
        found = await self._history.entries(
            object_id, before=None if before is None else CommitSeq(before), limit=asked.limit
        )
        reached = [entry for entry in found if entry.commit_seq > stand.oldest]
        rows, cursor = self._bookmarks.page(query, reached, lambda entry: (entry.commit_seq,))
        return HistoryPage(
            items=[_entry(stand, entry) for entry in rows],
            next_cursor=cursor,
            current_bookmark=stand.bookmark(stand.commit_seq),
            oldest_bookmark=stand.bookmark(stand.oldest),
            oldest_at=instant_of_ms(stand.oldest_ms),
        )

    async def _list_keys(self, call: AdminCall) -> Page[StoredEntry]:
        query: KeysQuery = call.query
        object_id = self._objects.named(call)
        stand = await self._stand(object_id)
        number = stand.commit_of(call.path["bookmark"])
        asked = self._keys.slice(query)
        wanted = range_of(query, None if asked.after is None else asked.after[0], asked.limit)
        if wanted is None:
            return Page[StoredEntry](items=[])
        page = await self._history.scan(object_id, number, wanted)
        found = page.rows
        if page.more and len(found) <= query.limit:  # it ended by its bytes
            query = query.model_copy(update={"limit": len(found)})
            found = [*found, found[-1]]
        rows, cursor = self._keys.page(query, found, lambda row: (row[0],))
        now_ms = self._clock.now_ms()
        guarded = self._guarded(object_id)
        make = valued_entry_of if query.values else entry_of
        return Page[StoredEntry](
            items=[
                make(key, stored, guarded=guarded)
                for key, stored in rows
                if not expired(stored, now_ms)
            ],
            next_cursor=cursor,
        )

    async def _get_key(self, call: AdminCall) -> StoredEntry:
        object_id = self._objects.named(call)
        stand = await self._stand(object_id)
        number = stand.commit_of(call.path["bookmark"])
        raw = call.path["key"].encode()
        stored = (await self._history.read(object_id, number, [raw])).get(raw)
        if stored is None or expired(stored, self._clock.now_ms()):
            raise KeyUnknown
        return valued_entry_of(raw, stored, guarded=self._guarded(object_id))

    async def _diff(self, call: AdminCall) -> Page[Difference]:
        query: PageQuery = call.query
        object_id = self._objects.named(call)
        stand = await self._stand(object_id)
        first, second = (stand.commit_of(call.path[name]) for name in ("bookmark", "other"))
        asked = self._differences.slice(query)
        start = None if asked.after is None else asked.after[0] + b"\0"
        page = await self._history.differences(
            object_id, first, second, start=start, limit=query.limit
        )
        cursor = self._differences.cursor((page.rows[-1].key,), query) if page.more else None
        return Page[Difference](items=[_difference(row) for row in page.rows], next_cursor=cursor)

    async def _restore(self, call: AdminCall) -> RestoredTold:
        body: RestoreTo = call.body
        if (body.bookmark is None) is (body.time is None):
            fault = FieldFault(pointer="#", detail="needs exactly one of `bookmark` and `time`")
            raise FieldsInvalid([fault])
        object_id = await self._objects.known(call)
        at_ms = None if body.time is None else _milliseconds(body.time)
        done = await self._restoring.restore(object_id, bookmark=body.bookmark, at_ms=at_ms)
        return RestoredTold(
            bookmark=done.restored, undo_bookmark=done.undo, current_bookmark=done.bookmark
        )

    def _guarded(self, object_id: ObjectId) -> bool:
        guarded: bool = self._objects.mount(object_id).cls.guards_storage
        return guarded


def _reading(**fields: Any) -> Operation:
    return Operation(
        **({"method": "GET", "role": Role.VIEWER, "tag": "history", "errors": _READS} | fields)
    )


def _entry(stand: HistoryStand, entry: HistoryEntry) -> HistoryEntryTold:
    return HistoryEntryTold(
        bookmark=stand.bookmark(entry.commit_seq),
        made_at=instant_of_ms(entry.made_ms),
        keys=entry.keys,
        size_bytes=entry.size_bytes,
    )


def _difference(row: RowDifference) -> Difference:
    before, after = row.before, row.after
    change = "added" if before is None else "removed" if after is None else "changed"
    return Difference(
        key=row.key.decode(),
        change=change,  # type: ignore[arg-type]  # one of the three
        before=None if before is None else to_tagged(before),
        after=None if after is None else to_tagged(after),
    )


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
