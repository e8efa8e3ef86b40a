"""Contents of objects as JSON: everything, tables, rows and values, read and changed.

A change is an event of the object itself, so its clients see it like any other. A patch is a
merge-patch (RFC 7396): `null` deletes, what is not named stays.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ...cluster.contents import Contents
from ...cluster.locator import Locator
from ...core.admin_errors import ContentInvalid, ContentTooLarge, ContentUnknown, NoContent
from ...core.errors import ObjectDeleted, ObjectFrozen, ObjectUnknown
from ...core.ids import ObjectId
from ...core.limits import LONGEST_NAME_BYTES
from ...sdk.content import CONTENT_BYTES
from .objects_named import object_of
from .operation import AdminCall, Operation, Role

_OBJECT: Final = "/namespaces/{namespace}/objects/{object}"
_JSON: Final = "application/json"
_MERGE_PATCH: Final = "application/merge-patch+json"
_NONE: Final = (
    "An empty object stands for nothing: a row without cells and a table without rows go away."
)
_CHANGE_ERRORS: Final = (NoContent, ContentInvalid, ContentTooLarge, ObjectFrozen, ObjectDeleted)
_READ_ERRORS: Final = (ObjectUnknown, ObjectDeleted, NoContent, ContentUnknown, ContentTooLarge)
_DELETE_ERRORS: Final = (ObjectUnknown, ObjectDeleted, ObjectFrozen, NoContent, ContentUnknown)

PathOf = Callable[[Mapping[str, str]], list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A kind of part that has an address: its name in operations, for people, and its way."""

    name: str
    words: str
    address: str
    path: PathOf


_PARTS: Final = (
    _Part(
        name="content",
        words="the whole content",
        address="/content",
        path=lambda _path: [],
    ),
    _Part(
        name="content_table",
        words="one table",
        address="/content/tables/{table}",
        path=lambda path: ["tables", path["table"]],
    ),
    _Part(
        name="content_row",
        words="one row",
        address="/content/tables/{table}/rows/{row}",
        path=lambda path: ["tables", path["table"], path["row"]],
    ),
    _Part(
        name="content_values",
        words="all values",
        address="/content/values",
        path=lambda _path: ["values"],
    ),
    _Part(
        name="content_value",
        words="one value",
        address="/content/values/{value}",
        path=lambda path: ["values", path["value"]],
    ),
)


class ContentOperations:
    """See the module.

    Args:
        contents: Where contents are read and changed.
        locator: The namespaces and ids.
    """

    def __init__(self, contents: Contents, locator: Locator) -> None:
        self._contents = contents
        self._locator = locator

    def operations(self) -> list[Operation]:
        """What this area offers."""
        return [each for part in _PARTS for each in self._operations_on(part)]

    def _operations_on(self, part: _Part) -> list[Operation]:
        return [self._read(part), self._patch(part), self._put(part), self._delete(part)]

    def _read(self, part: _Part) -> Operation:
        async def read(call: AdminCall) -> bytes:
            return await self._contents.read(self._object(call), part.path(call.path))

        return Operation(
            name=f"get_{part.name}",
            method="GET",
            path=_OBJECT + part.address,
            role=Role.VIEWER,
            tag="content",
            summary=f"Read {part.words} of an object as JSON",
            handle=read,
            gives=_JSON,
            errors=_READ_ERRORS,
        )

    def _patch(self, part: _Part) -> Operation:
        async def patch(call: AdminCall) -> None:
            body = await whole(call.stream())
            await self._contents.patch(self._object(call), part.path(call.path), body)

        return Operation(
            name=f"patch_{part.name}",
            method="PATCH",
            path=_OBJECT + part.address,
            role=Role.ADMIN,
            tag="content",
            summary=f"Merge a patch (RFC 7396) into {part.words} of an object",
            handle=patch,
            takes=_MERGE_PATCH,
            errors=_CHANGE_ERRORS,
        )

    def _put(self, part: _Part) -> Operation:
        async def put(call: AdminCall) -> None:
            body = await whole(call.stream())
            await self._contents.replace(self._object(call), part.path(call.path), body)

        return Operation(
            name=f"put_{part.name}",
            method="PUT",
            path=_OBJECT + part.address,
            role=Role.ADMIN,
            tag="content",
            summary=f"Replace {part.words} of an object",
            description=_NONE,
            handle=put,
            takes=_JSON,
            errors=_CHANGE_ERRORS,
        )

    def _delete(self, part: _Part) -> Operation:
        async def delete(call: AdminCall) -> None:
            await self._contents.delete(self._object(call), part.path(call.path))

        return Operation(
            name=f"delete_{part.name}",
            method="DELETE",
            path=_OBJECT + part.address,
            role=Role.ADMIN,
            tag="content",
            summary=f"Delete {part.words} of an object",
            handle=delete,
            errors=_DELETE_ERRORS,
        )

    def _object(self, call: AdminCall) -> ObjectId:
        locator = self._locator
        return object_of(call.path, locator.ids, locator.namespaces, name_bytes=LONGEST_NAME_BYTES)


async def whole(pieces: AsyncIterator[bytes]) -> bytes:
    """Read a body that one call can carry.

    Raises:
        ContentTooLarge: It is larger.
    """
    taken: list[bytes] = []
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > CONTENT_BYTES:
            raise ContentTooLarge
        taken.append(piece)
    return b"".join(taken)
