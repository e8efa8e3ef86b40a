"""Alarms of one object and of all: read as they are committed, changed by events at their owners.

A change is like the author's own `set_alarm`, and of one object; lists over all objects walk an
index, however many there are.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from ...cluster.steering import Steering
from ...core.admin_errors import AlarmRuns, AlarmUnknown, CursorInvalid
from ...core.alarm_lists import AlarmLists, AlarmPosition, ListedAlarm
from ...core.errors import (
    ObjectDeleted,
    ObjectFrozen,
    ObjectUnknown,
    StorageRefused,
    TooManyAlarms,
    Unsupported,
)
from ...core.ports import ObjectStore
from ...core.storage_codec import encode_value
from ...core.tagged_json import from_tagged
from ...core.values import Alarm
from .alarm_models import (
    AlarmChanged,
    AlarmOfObject,
    AlarmsTold,
    AlarmTold,
    AlarmToSet,
    DueQuery,
    GivenUpQuery,
)
from .known_objects import OBJECT, KnownObjects
from .models import Page, PageQuery
from .operation import AdminCall, Operation, Role
from .paging import Keyset, Position

_ALARM: Final = f"{OBJECT}/alarms/{{alarm}}"
_CHANGES: Final = (ObjectDeleted, ObjectFrozen, StorageRefused, Unsupported)
_STANDING: Final = (ObjectUnknown, AlarmUnknown, AlarmRuns)
_UNNAMED: Final = "The alarm without a name has an empty last part: `.../alarms/`."
_FURTHEST_MS: Final = 1 << 48
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class AlarmOperations:
    """See the module.

    Args:
        objects: Which objects there are.
        steering: The way to their owners.
        store: Committed alarms of one object.
        lists: Those of all.
    """

    def __init__(
        self, objects: KnownObjects, steering: Steering, *, store: ObjectStore, lists: AlarmLists
    ) -> None:
        self._objects = objects
        self._steering = steering
        self._store = store
        self._lists = lists
        self._due_order = Keyset("list_due_alarms", int, str, str)
        self._dead_order = Keyset("list_dead_letters", int, str, str)

    def operations(self) -> list[Operation]:
        """What this area offers."""
        return [*self._of_one(), *self._changes(), *self._of_all()]

    def _of_one(self) -> list[Operation]:
        return [
            _operation(
                name="list_alarms",
                method="GET",
                path=f"{OBJECT}/alarms",
                role=Role.VIEWER,
                summary="List the alarms of an object",
                handle=self._list,
                answer=AlarmsTold,
                errors=(ObjectUnknown,),
            ),
            _operation(
                name="get_alarm",
                method="GET",
                path=_ALARM,
                role=Role.VIEWER,
                summary="Read one alarm",
                handle=self._get,
                answer=AlarmTold,
                errors=(ObjectUnknown, AlarmUnknown),
                description=_UNNAMED,
            ),
        ]

    def _changes(self) -> list[Operation]:
        return [
            _operation(
                name="set_alarm",
                method="PUT",
                path=_ALARM,
                summary="Set an alarm, in place of the one of that name",
                handle=self._set,
                body=AlarmToSet,
                errors=(*_CHANGES, TooManyAlarms),
                description=_UNNAMED,
            ),
            _operation(
                name="remove_alarm",
                method="DELETE",
                path=_ALARM,
                summary="Cancel an alarm, or drop one that was given up",
                handle=self._remove,
                answer=AlarmChanged,
                errors=(*_CHANGES, *_STANDING),
                description=_UNNAMED,
            ),
            _operation(
                name="retry_alarm",
                method="POST",
                path=f"{_ALARM}/retry",
                summary="Ring an alarm now, also one that was given up",
                handle=self._retry,
                answer=AlarmChanged,
                errors=(*_CHANGES, *_STANDING, TooManyAlarms),
                description="Its run follows; this answers when the time is set.",
            ),
        ]

    def _of_all(self) -> list[Operation]:
        return [
            _operation(
                name="list_due_alarms",
                method="GET",
                path="/alarms",
                role=Role.VIEWER,
                summary="List what is rung next, of all objects",
                handle=self._list_due,
                query=DueQuery,
                answer=Page[AlarmOfObject],
            ),
            _operation(
                name="list_dead_letters",
                method="GET",
                path="/dead-letters",
                role=Role.VIEWER,
                summary="List alarms that were given up, of all objects, the last one first",
                handle=self._list_dead,
                query=GivenUpQuery,
                answer=Page[AlarmOfObject],
            ),
        ]

    # -- reads ---------------------------------------------------------------------------------

    async def _list(self, call: AdminCall) -> AlarmsTold:
        object_id = self._objects.named(call)
        found = await self._store.alarms(object_id)
        if not found:
            await self._objects.check(object_id)
        return AlarmsTold(
            items=[
                AlarmTold(**AlarmTold.fields_of(name, alarm))
                for name, alarm in sorted(found.items(), key=_by_attempt)
            ]
        )

    async def _get(self, call: AdminCall) -> AlarmTold:
        object_id, name = self._objects.named(call), call.path["alarm"]
        # Names are text without NUL, so there is no alarm of such a name.
        found = None if "\0" in name else await self._store.alarm(object_id, name)
        if found is None:
            await self._objects.check(object_id)
            raise AlarmUnknown
        return AlarmTold(**AlarmTold.fields_of(name, found))

    async def _list_due(self, call: AdminCall) -> Page[AlarmOfObject]:
        query: DueQuery = call.query
        asked = self._due_order.slice(query)
        until_ms = None if query.until is None else (query.until - _EPOCH) // _MILLISECOND
        found = await self._lists.due(
            limit=asked.limit, after=_place(asked.after), until_ms=until_ms
        )
        return _page(self._due_order, query, found)

    async def _list_dead(self, call: AdminCall) -> Page[AlarmOfObject]:
        query: GivenUpQuery = call.query
        asked = self._dead_order.slice(query)
        found = await self._lists.dead(
            limit=asked.limit, after=_place(asked.after), namespace=query.namespace
        )
        return _page(self._dead_order, query, found)

    # -- changes -------------------------------------------------------------------------------

    async def _set(self, call: AdminCall) -> None:
        body: AlarmToSet = call.body
        every = body.every_seconds
        meta = {
            "name": call.path["alarm"],
            "due_ms": (body.due_at - _EPOCH) // _MILLISECOND,
            "every_ms": None if every is None else round(every * 1000),
        }
        payload = b"" if body.payload is None else encode_value(from_tagged(body.payload))
        await self._steering.ask(self._objects.named(call), "alarm_set", meta, payload)

    async def _remove(self, call: AdminCall) -> AlarmChanged:
        return await self._change(call, "alarm_remove")

    async def _retry(self, call: AdminCall) -> AlarmChanged:
        return await self._change(call, "alarm_ring")

    async def _change(self, call: AdminCall, what: str) -> AlarmChanged:
        object_id = await self._objects.known(call)
        told, _ = await self._steering.ask(object_id, what, {"name": call.path["alarm"]})
        return AlarmChanged(was_given_up=told["given_up"])


def _operation(**fields: Any) -> Operation:
    return Operation(**({"role": Role.OPERATOR, "tag": "alarms"} | fields))


def _by_attempt(named: tuple[str, Alarm]) -> tuple[bool, int, str]:
    name, alarm = named
    attempt_ms = alarm.next_attempt_ms
    return attempt_ms is None, alarm.due_ms if attempt_ms is None else attempt_ms, name


def _place(after: Position | None) -> AlarmPosition | None:
    if after is None:
        return None
    at_ms, uuid, name = after
    try:
        place = AlarmPosition(at_ms, UUID(uuid), name)
    except ValueError:
        raise CursorInvalid from None
    if abs(at_ms) > _FURTHEST_MS:
        raise CursorInvalid
    return place


def _page(order: Keyset, query: PageQuery, found: list[ListedAlarm]) -> Page[AlarmOfObject]:
    rows, cursor = order.page(query, found, _position)
    return Page[AlarmOfObject](items=[_told(row) for row in rows], next_cursor=cursor)


def _position(listed: ListedAlarm) -> Position:
    alarm = listed.alarm
    at_ms = alarm.due_ms if alarm.next_attempt_ms is None else alarm.next_attempt_ms
    return at_ms, str(listed.object_id.uuid), listed.name


def _told(listed: ListedAlarm) -> AlarmOfObject:
    object_id = listed.object_id
    return AlarmOfObject(
        **AlarmTold.fields_of(listed.name, listed.alarm),
        namespace=object_id.namespace,
        object=object_id.name,
        object_id=str(object_id),
    )
