"""The keys of an object: read as they are committed, changed by events at its owner.

Reading wakes nothing. A change may be made to depend on what stands there (If-Match,
If-None-Match); the instance starts again after it, so nothing that its author has cached
overwrites the change.
"""

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ...cluster.steering import Steering
from ...core.admin_errors import (
    FieldFault,
    FieldsInvalid,
    KeyUnknown,
    PreconditionFailed,
    StorageGuarded,
    ValueNotBytes,
)
from ...core.clock import DatabaseClock
from ...core.errors import (
    ObjectDeleted,
    ObjectFrozen,
    ObjectUnknown,
    StorageRefused,
    Unsupported,
)
from ...core.ids import ObjectId
from ...core.limits import KEY_BYTES, VALUE_BYTES
from ...core.ports import ObjectStore
from ...core.storage_codec import decode_value, encode_value, expired
from ...core.stored_keys import StoredKey, StoredKeys, version_of
from ...core.tagged_json import from_tagged
from ...core.values import KeyRange
from ...core.workshop import Workshop
from .known_objects import OBJECT, KnownObjects
from .models import Page
from .operation import BODY_BYTES, AdminCall, Operation, Replied, Role
from .paging import Keyset
from .storage_models import (
    BytesQuery,
    Cleared,
    ClearQuery,
    ForceQuery,
    KeysQuery,
    StoredEntry,
    ValueToPut,
    Written,
)
from .stored_entries import key_entry_of, range_of, valued_entry_of

_STORAGE: Final = f"{OBJECT}/storage"
_KEY: Final = f"{OBJECT}/storage/{{key}}"
_BYTES: Final = f"{OBJECT}/storage/{{key}}/bytes"
_OCTETS: Final = "application/octet-stream"
_READS: Final = (ObjectUnknown, StorageRefused)
_CHANGES: Final = (ObjectDeleted, ObjectFrozen, StorageGuarded, StorageRefused, Unsupported)
_CONDITIONS: Final = (PreconditionFailed,)
_PUT_BYTES: Final = 2 * VALUE_BYTES + BODY_BYTES
"""As hex digits, the largest value of bytes is twice as long."""
_CLEARINGS: Final = 500
"""Events that one request makes at most; each deletes some thousand keys."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_VERSIONS: Final = re.compile(r'\s*(?:\*|(?:"[0-9a-f]*"\s*(?:,\s*"[0-9a-f]*"\s*)*))\s*')
_CONDITIONAL: Final = (
    "Takes `If-Match` with versions that the key must have (`*`: any), and `If-None-Match` with "
    "those that it must not have (`*`: it must not be there). A version is the `ETag` of a read."
)
_TAGGED: Final = (
    'A value of a type that JSON has no word for is an object `{"$": [kind, ...]}`: '
    '`["bytes", hex]`, `["datetime", iso]`, `["int", digits]`, `["float", "nan"]`, '
    '`["set", ...]`, `["frozenset", ...]`, `["tuple", ...]`, `["dict", key, value, ...]`.'
)


class StorageOperations:
    """See the module.

    Args:
        objects: Which objects there are.
        steering: The way to their owners.
        store: Committed values.
        keys: Committed keys.
        database_clock: The time that values expire by.
    """

    def __init__(
        self,
        objects: KnownObjects,
        steering: Steering,
        *,
        store: ObjectStore,
        keys: StoredKeys,
        database_clock: DatabaseClock,
    ) -> None:
        self._objects = objects
        self._steering = steering
        self._store = store
        self._keys = keys
        self._clock = database_clock
        self._workshop = Workshop()
        self._order = Keyset("list_keys", bytes)

    def operations(self) -> list[Operation]:
        """What this area offers."""
        return [
            _operation(
                name="list_keys",
                method="GET",
                path=_STORAGE,
                role=Role.VIEWER,
                summary="List the keys that an object stores",
                handle=self._list,
                query=KeysQuery,
                answer=Page[StoredEntry],
                errors=_READS,
                description=_TAGGED,
            ),
            _operation(
                name="get_key",
                method="GET",
                path=_KEY,
                role=Role.VIEWER,
                summary="Read one value as JSON",
                handle=self._get,
                answer=StoredEntry,
                errors=(*_READS, KeyUnknown),
                description=_TAGGED,
            ),
            _operation(
                name="get_key_bytes",
                method="GET",
                path=_BYTES,
                role=Role.VIEWER,
                summary="Read one value that is bytes",
                handle=self._get_bytes,
                gives=_OCTETS,
                errors=(*_READS, KeyUnknown, ValueNotBytes),
            ),
            *self._puts(),
            *self._deletions(),
        ]

    def _puts(self) -> list[Operation]:
        return [
            _operation(
                name="put_key",
                method="PUT",
                path=_KEY,
                summary="Put one value, given as JSON",
                handle=self._put,
                query=ForceQuery,
                body=ValueToPut,
                body_bytes=_PUT_BYTES,
                answer=Written,
                errors=(*_CHANGES, *_CONDITIONS),
                description=f"{_CONDITIONAL} {_TAGGED}",
            ),
            _operation(
                name="put_key_bytes",
                method="PUT",
                path=_BYTES,
                summary="Put one value, given as bytes",
                handle=self._put_bytes,
                query=BytesQuery,
                takes=_OCTETS,
                answer=Written,
                errors=(*_CHANGES, *_CONDITIONS),
                description=_CONDITIONAL,
            ),
        ]

    def _deletions(self) -> list[Operation]:
        return [
            _operation(
                name="delete_key",
                method="DELETE",
                path=_KEY,
                summary="Delete one key",
                handle=self._delete,
                query=ForceQuery,
                errors=(*_CHANGES, *_CONDITIONS, ObjectUnknown, KeyUnknown),
                description=_CONDITIONAL,
            ),
            _operation(
                name="delete_keys",
                method="DELETE",
                path=_STORAGE,
                summary="Delete all keys that begin with a prefix",
                handle=self._clear,
                query=ClearQuery,
                answer=Cleared,
                errors=(*_CHANGES, ObjectUnknown),
                description="Alarms stay. Very many keys are deleted in several events.",
            ),
        ]

    # -- reads ---------------------------------------------------------------------------------

    async def _list(self, call: AdminCall) -> Page[StoredEntry]:
        query: KeysQuery = call.query
        object_id = self._objects.named(call)
        asked = self._order.slice(query)
        wanted = range_of(query, None if asked.after is None else asked.after[0], asked.limit)
        if query.values:
            items, cursor = await self._with_values(object_id, query, wanted)
        else:
            found = [] if wanted is None else await self._keys.keys(object_id, wanted)
            rows, cursor = self._order.page(query, found, lambda each: (each.key,))
            items = [self._told(object_id, each) for each in rows if not self._over(each)]
        if not items:
            await self._objects.check(object_id)
        return Page[StoredEntry](items=items, next_cursor=cursor)

    async def _with_values(
        self, object_id: ObjectId, query: KeysQuery, wanted: KeyRange | None
    ) -> tuple[list[StoredEntry], str | None]:
        if wanted is None:
            return [], None
        page = await self._store.scan(object_id, wanted)
        found = page.rows
        if page.more and len(found) <= query.limit:  # the page of the store ended by its bytes
            query = query.model_copy(update={"limit": len(found)})
            found = [*found, found[-1]]
        rows, cursor = self._order.page(query, found, lambda row: (row[0],))
        now_ms = self._clock.now_ms()
        return [
            self._valued(object_id, key, stored)
            for key, stored in rows
            if not expired(stored, now_ms)
        ], cursor

    async def _get(self, call: AdminCall) -> Replied:
        object_id = self._objects.named(call)
        raw, stored = await self._stored(object_id, call)
        answer = self._valued(object_id, raw, stored)
        return Replied(answer=answer, headers={"etag": f'"{answer.version}"'})

    async def _get_bytes(self, call: AdminCall) -> Replied:
        _, stored = await self._stored(self._objects.named(call), call)
        value = decode_value(stored)
        if not isinstance(value, bytes):
            raise ValueNotBytes
        return Replied(answer=value, headers={"etag": f'"{version_of(stored)}"'})

    async def _stored(self, object_id: ObjectId, call: AdminCall) -> tuple[bytes, bytes]:
        raw = call.path["key"].encode()
        if len(raw) > KEY_BYTES:
            raise StorageRefused(f"a key has {len(raw)} bytes, the limit is {KEY_BYTES}")
        stored = (await self._store.read(object_id, [raw])).get(raw)
        if stored is None or expired(stored, self._clock.now_ms()):
            await self._objects.check(object_id)
            raise KeyUnknown
        return raw, stored

    def _valued(self, object_id: ObjectId, key: bytes, stored: bytes) -> StoredEntry:
        return valued_entry_of(key, stored, guarded=self._guarded(object_id))

    def _told(self, object_id: ObjectId, found: StoredKey) -> StoredEntry:
        return key_entry_of(found, guarded=self._guarded(object_id))

    def _guarded(self, object_id: ObjectId) -> bool:
        guarded: bool = self._objects.mount(object_id).cls.guards_storage
        return guarded

    def _over(self, found: StoredKey) -> bool:
        return found.expires_ms is not None and found.expires_ms <= self._clock.now_ms()

    # -- changes -------------------------------------------------------------------------------

    async def _put(self, call: AdminCall) -> Replied:
        body: ValueToPut = call.body
        stored = await self._workshop.run(lambda: encode_value(from_tagged(body.value)))
        return await self._write(call, stored, body.expires_at)

    async def _put_bytes(self, call: AdminCall) -> Replied:
        query: BytesQuery = call.query
        return await self._write(call, encode_value(await _whole(call.stream())), query.expires_at)

    async def _write(self, call: AdminCall, stored: bytes, expires_at: datetime | None) -> Replied:
        meta = _asked(call) | {"expires_ms": _milliseconds(expires_at)}
        told, _ = await self._steering.ask(self._objects.named(call), "storage_put", meta, stored)
        answer = Written(version=told["version"], created=told["created"])
        return Replied(answer=answer, headers={"etag": f'"{answer.version}"'})

    async def _delete(self, call: AdminCall) -> None:
        object_id = await self._objects.known(call)
        await self._steering.ask(object_id, "storage_delete", _asked(call))

    async def _clear(self, call: AdminCall) -> Cleared:
        query: ClearQuery = call.query
        object_id = await self._objects.known(call)
        meta = {"prefix": query.prefix, "force": query.force}
        deleted, more, rounds = 0, True, 0
        while more and rounds < _CLEARINGS:
            told, _ = await self._steering.ask(object_id, "storage_clear", meta)
            deleted, more, rounds = deleted + told["deleted"], told["more"], rounds + 1
        return Cleared(deleted=deleted, more=more)


def _operation(**fields: Any) -> Operation:
    return Operation(**({"role": Role.ADMIN, "tag": "storage"} | fields))


def _asked(call: AdminCall) -> dict[str, Any]:
    """The key, the conditions, and whether it is forced."""
    return {
        "key": call.path["key"],
        "force": call.query.force,
        "if_match": _versions(call.headers, "if-match"),
        "if_none_match": _versions(call.headers, "if-none-match"),
    }


def _versions(headers: Mapping[str, str], name: str) -> list[str] | None:
    """The versions that a header names, `*` for any; None where it is not there.

    Raises:
        FieldsInvalid: It makes no sense: a condition must not be dropped in silence.
    """
    text = headers.get(name)
    if text is None:
        return None
    if not _VERSIONS.fullmatch(text):
        fault = FieldFault(pointer=name, detail='holds versions like "1f", or *')
        raise FieldsInvalid([fault])
    return [part.strip().strip('"') for part in text.split(",")]


def _milliseconds(when: datetime | None) -> int | None:
    return None if when is None else (when - _EPOCH) // timedelta(milliseconds=1)


async def _whole(pieces: AsyncIterator[bytes]) -> bytes:
    """A value that comes in pieces; of one that cannot be stored no more than that is held."""
    whole = bytearray()
    async for piece in pieces:
        whole += piece
        if len(whole) > VALUE_BYTES:
            raise StorageRefused(f"a value has over {VALUE_BYTES} bytes, which is the limit")
    return bytes(whole)
