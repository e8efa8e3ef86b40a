"""What there is: lists of objects, one object, tags. Reading wakes nothing."""

from typing import Final, Protocol
from uuid import UUID

import structlog

from ...cluster.locator import Locator
from ...cluster.steering import Steering
from ...core.admin_errors import CursorInvalid, FieldFault, FieldsInvalid
from ...core.errors import NamespaceUnknown, ObjectUnknown, StateroomError
from ...core.ids import ObjectId
from ...core.limits import LONGEST_NAME_BYTES
from ...core.listing import ListingPosition, ListingRequest, ObjectListing, SortBy
from ...core.values import Alarm
from .models import Page, instant_of_ms
from .object_models import (
    ActivityTold,
    AlarmsTold,
    ObjectPage,
    ObjectQuery,
    ObjectTold,
    TagsPut,
    TagsTold,
    fields_of,
    is_text,
)
from .objects_named import object_of
from .operation import AdminCall, Operation, Role
from .paging import Keyset

_log = structlog.get_logger("stateroom.admin")

_LOOK_SECONDS: Final = 5.0
"""How long the holder of an object may take to say what it is doing."""
_INT8: Final = range(-(2**63), 2**63)
_UUID_BYTES: Final = 16
_OBJECT: Final = "/namespaces/{namespace}/objects/{object}"
_ABOUT_LISTS: Final = (
    "Sizes and times of commits are noted in the background, so an object appears a second or "
    "two after it was first reached; what is said of each object is of now, but for its size. "
    "Every page is a bounded amount of work: with several conditions of which each fits many "
    "objects it may hold fewer than `limit`, even none. Only `next_cursor` tells whether the list "
    "is over. Deleted objects are not in it."
)


class AlarmsOf(Protocol):
    """Where the alarms of an object are read."""

    async def alarms(self, object_id: ObjectId) -> dict[str, Alarm]:
        """See `core.ports.ObjectStore.alarms`."""
        ...


class ObjectOperations:
    """See the module.

    Args:
        listing: What there is.
        stored: Reads alarms.
        steering: Looks at live objects.
        locator: The namespaces and ids.
    """

    def __init__(
        self, listing: ObjectListing, stored: AlarmsOf, steering: Steering, locator: Locator
    ) -> None:
        self._listing = listing
        self._stored = stored
        self._steering = steering
        self._locator = locator

    def operations(self) -> list[Operation]:
        """What this area offers."""
        return [*self._lists(), self._one(), self._tagging()]

    def _lists(self) -> list[Operation]:
        return [
            Operation(
                name="list_objects",
                method="GET",
                path="/namespaces/{namespace}/objects",
                role=Role.VIEWER,
                tag="objects",
                summary="List and search the objects of a namespace",
                description=_ABOUT_LISTS,
                handle=self._of_namespace,
                query=ObjectQuery,
                answer=Page[ObjectTold],
                errors=(NamespaceUnknown, CursorInvalid),
            ),
            Operation(
                name="list_all_objects",
                method="GET",
                path="/objects",
                role=Role.VIEWER,
                tag="objects",
                summary="List and search the objects of all namespaces",
                description=_ABOUT_LISTS,
                handle=self._of_all,
                query=ObjectQuery,
                answer=Page[ObjectTold],
                errors=(CursorInvalid,),
            ),
        ]

    def _one(self) -> Operation:
        return Operation(
            name="get_object",
            method="GET",
            path=_OBJECT,
            role=Role.VIEWER,
            tag="objects",
            summary="Tell all about one object",
            description="A live object is asked what it is doing, and does not notice.",
            handle=self._page,
            answer=ObjectPage,
            errors=(NamespaceUnknown, ObjectUnknown),
        )

    def _tagging(self) -> Operation:
        return Operation(
            name="put_object_tags",
            method="PUT",
            path=f"{_OBJECT}/tags",
            role=Role.OPERATOR,
            tag="objects",
            summary="Replace the tags of an object",
            description=(
                "Tags are for lists; the object does not know of them. They go when it is purged, "
                "or given up while it stores nothing."
            ),
            handle=self._put_tags,
            body=TagsPut,
            answer=TagsTold,
            errors=(NamespaceUnknown, ObjectUnknown),
        )

    async def _of_namespace(self, call: AdminCall) -> Page[ObjectTold]:
        namespace = call.path["namespace"]
        if namespace not in self._locator.namespaces:
            raise NamespaceUnknown(remedy="List the namespaces.")
        return await self._list(call.query, [namespace])

    async def _of_all(self, call: AdminCall) -> Page[ObjectTold]:
        return await self._list(call.query, None)

    async def _list(self, query: ObjectQuery, namespaces: list[str] | None) -> Page[ObjectTold]:
        by_name = query.sort.sort is SortBy.NAME
        name = "objects" if namespaces is None else f"objects of {namespaces[0]}"
        keyset = Keyset(name, str if by_name else int, bytes)
        page = await self._listing.page(
            ListingRequest(
                where=query.filter(namespaces),
                sort=query.sort.sort,
                descending=query.sort.descending,
                limit=query.limit,
                after=_after(keyset, query),
            )
        )
        after = page.after
        return Page[ObjectTold](
            items=[ObjectTold.of(each) for each in page.objects],
            next_cursor=None
            if after is None
            else keyset.cursor((after.value, after.uuid.bytes), query),
        )

    async def _page(self, call: AdminCall) -> ObjectPage:
        object_id = self._object(call)
        found = await self._listing.find(object_id)
        if found is None:
            raise ObjectUnknown
        alarms = await self._stored.alarms(object_id)
        activity = await self._activity(object_id) if found.live else None
        return ObjectPage.model_validate(
            fields_of(found) | {"alarms": _alarms(alarms), "activity": activity}
        )

    async def _activity(self, object_id: ObjectId) -> ActivityTold | None:
        try:
            looked = await self._steering.look(object_id, "activity", within_seconds=_LOOK_SECONDS)
        except StateroomError as error:
            # The rest of the page is as good without it.
            _log.warning("activity_unknown", object=str(object_id), code=error.code)
            return None
        return None if looked is None else ActivityTold.model_validate(looked[0])

    async def _put_tags(self, call: AdminCall) -> TagsTold:
        object_id = self._object(call)
        tags: set[str] = set(call.body.tags)
        for tag in tags:
            try:
                is_text(tag)
            except ValueError as error:
                raise FieldsInvalid([FieldFault(pointer="#/tags", detail=str(error))]) from None
        if not await self._listing.set_tags(object_id, tags):
            raise ObjectUnknown
        return TagsTold(tags=sorted(tags))

    def _object(self, call: AdminCall) -> ObjectId:
        locator = self._locator
        return object_of(call.path, locator.ids, locator.namespaces, name_bytes=LONGEST_NAME_BYTES)


def _after(keyset: Keyset, query: ObjectQuery) -> ListingPosition | None:
    position = keyset.slice(query).after
    if position is None:
        return None
    value, raw = position
    # No list has written others; the database would refuse them.
    if len(raw) != _UUID_BYTES or (isinstance(value, int) and value not in _INT8):
        raise CursorInvalid
    return ListingPosition(value, UUID(bytes=raw))


def _alarms(alarms: dict[str, Alarm]) -> AlarmsTold:
    times = [
        alarm.next_attempt_ms for alarm in alarms.values() if alarm.next_attempt_ms is not None
    ]
    return AlarmsTold(
        pending=len(times),
        given_up=len(alarms) - len(times),
        next_at=instant_of_ms(min(times)) if times else None,
    )
