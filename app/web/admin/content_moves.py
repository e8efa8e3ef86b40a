"""Contents that move in from files of other TinyBase servers and clients, and out to them."""

from collections.abc import AsyncIterator
from typing import Annotated, Final, Literal

from pydantic import Field

from ...cluster.contents import Contents
from ...cluster.locator import Locator
from ...core.admin_errors import ContentInvalid, ContentPresent, ContentTooLarge, NoContent
from ...core.errors import ObjectDeleted, ObjectFrozen, ObjectUnknown
from ...core.ids import ObjectId
from ...core.limits import LONGEST_NAME_BYTES
from ...sdk.content import Upload
from .models import Asked, Told
from .objects_named import object_of
from .operation import AdminCall, Operation, Role

_OBJECT: Final = "/namespaces/{namespace}/objects/{object}"
_IMPORT_ERRORS: Final = (
    NoContent,
    ContentPresent,
    ContentInvalid,
    ContentTooLarge,
    ObjectFrozen,
    ObjectDeleted,
)
_EXPORT_ERRORS: Final = (ObjectUnknown, ObjectDeleted, NoContent)


class ImportQuery(Asked):
    """How an uploaded file is to be read and taken in."""

    format: Annotated[str, Field(max_length=100)]
    """Of TinyBase rooms: `content` (JSON of the file persister or of JSON mode), `sqlite` (a
    SQLite file of JSON mode or of the fragmented layout), `kv` (a dump of Durable Object
    storage)."""
    mode: Literal["if-empty", "replace", "merge"] = "if-empty"
    """Whether there must be no content, what is imported takes its place, or is added to it."""
    source: Annotated[str, Field(max_length=1_000)] = ""
    """Which content, where a file holds several: the table of JSON mode, or the prefix."""
    stamps: Literal["keep", "new"] = "keep"
    """Whether content keeps the stamps it has, so that clients find it equal to theirs."""


class ExportQuery(Asked):
    """In which format content is written."""

    format: Annotated[str, Field(max_length=100)] = "content"
    """Of TinyBase rooms: `content` (what the file persister writes of a Store) or `mergeable`
    (of a MergeableStore, with stamps and hashes)."""


class ContentImported(Told):
    """What an import took."""

    size_bytes: int
    """Size of the uploaded file."""
    events: int
    """How many events of the object it took; one is all or nothing."""


class ContentMoveOperations:
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
        return [
            Operation(
                name="import_content",
                method="POST",
                path=_OBJECT + "/content/import",
                role=Role.ADMIN,
                tag="content",
                summary="Import the content of an object from a file of another TinyBase server",
                handle=self._import,
                query=ImportQuery,
                answer=ContentImported,
                takes="*/*",
                errors=_IMPORT_ERRORS,
            ),
            Operation(
                name="export_content",
                method="GET",
                path=_OBJECT + "/content/export",
                role=Role.VIEWER,
                tag="content",
                summary="Export the content of an object for another TinyBase server or client",
                handle=self._export,
                query=ExportQuery,
                gives="application/json",
                errors=_EXPORT_ERRORS,
            ),
        ]

    async def _import(self, call: AdminCall) -> ContentImported:
        query: ImportQuery = call.query
        upload = Upload(format=query.format, source=query.source, restamp=query.stamps == "new")
        taken = await self._contents.take_in(self._object(call), call.stream(), upload, query.mode)
        return ContentImported(size_bytes=taken.size_bytes, events=taken.events)

    async def _export(self, call: AdminCall) -> AsyncIterator[bytes]:
        return self._contents.export(self._object(call), call.query.format)

    def _object(self, call: AdminCall) -> ObjectId:
        locator = self._locator
        return object_of(call.path, locator.ids, locator.namespaces, name_bytes=LONGEST_NAME_BYTES)
