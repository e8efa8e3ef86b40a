"""Export, import and fork in the admin API."""

from collections.abc import AsyncIterator, Awaitable, Callable
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from ...cluster.backups import Backups
from ...cluster.importing import ImportOptions
from ...cluster.landing import ImportMode
from ...cluster.locator import Locator
from ...core.backup_errors import BackupUnreadable, ObjectIsLive, ObjectNotEmpty
from ...core.errors import (
    BookmarkExpired,
    BookmarkUnknown,
    NamespaceUnknown,
    ObjectDeleted,
    ObjectFrozen,
    ObjectUnknown,
    StateroomError,
    Unsupported,
)
from ...core.ids import ObjectId
from ...core.limits import LONGEST_NAME_BYTES, NAME_BYTES
from ...core.tasks import TaskOwner
from .line_spool import Tell, told_lines
from .models import Asked, Told
from .objects_named import object_of
from .operation import AdminCall, Operation, Role

_OBJECT: Final = "/namespaces/{namespace}/objects/{object}"
_NDJSON: Final = "application/x-ndjson"
_TAG: Final = "backups"

_EXPORT: Final = (
    "NDJSON: a first line, the lines of each object, and a last line without which it is not "
    "whole. Each object is one snapshot of what is committed; none is woken. "
)
_IMPORT: Final = (
    "Takes an export. Answers NDJSON while it reads: a line of the kind `object` for each object "
    "(`result`: imported, skipped or refused with a `code`), `damage` for what belongs to no "
    "object, `progress` now and then, and at the end one `summary`; `complete` says whether all "
    "of the export came whole. Each object is written whole or not at all."
)
_FORK_ERRORS: Final = (
    ObjectUnknown,
    ObjectNotEmpty,
    ObjectIsLive,
    ObjectFrozen,
    ObjectDeleted,
    BookmarkUnknown,
    BookmarkExpired,
    Unsupported,
)


class Nameless(StrEnum):
    """What becomes of objects without a name whose id is of another cluster."""

    REFUSE = "refuse"
    MAP = "map"


class Values(StrEnum):
    """How an export writes values."""

    STORED = "stored"
    DECODED = "decoded"


class ExportQuery(Asked):
    """How to export."""

    values: Values = Values.STORED
    """`stored` is exact and can be imported; `decoded` is JSON for people, and cannot."""


class ImportQuery(Asked):
    """How to import."""

    mode: ImportMode = ImportMode.IF_EMPTY
    """`if-empty` leaves objects alone that store something, `replace` makes them what the export
    says, `merge` writes the export's rows over theirs."""
    dry_run: bool = False
    """Only say what would be done, as far as what is committed tells."""
    nameless: Nameless = Nameless.REFUSE
    """Objects without a name whose id is of another cluster: refuse them, or map them to ids of
    this one."""


class ForkBody(Asked):
    """What the copy is called."""

    name: Annotated[str, Field(min_length=1, max_length=NAME_BYTES)]
    """The name of the copy; it must store nothing, or just the same."""
    namespace: str | None = None
    """Its namespace; that of the object if it is left out."""
    at: Annotated[str, Field(max_length=100)] | None = None
    """A bookmark of the object: copy what it was then."""
    alarms: bool = False
    """Whether its alarms are copied too. With `at` they never are: the past has none."""


class Fork(Told):
    """A copy."""

    namespace: str
    name: str | None
    id: str
    """64 hex digits."""
    rows: int
    size_bytes: int
    sha256: str
    """The digest of its rows, as an export tells it."""


class BackupOperations:
    """See the module.

    Args:
        backups: What does it.
        locator: The namespaces and ids.
        tasks: Owner of the imports under way.
    """

    def __init__(self, backups: Backups, locator: Locator, tasks: TaskOwner) -> None:
        self._backups = backups
        self._locator = locator
        self._tasks = tasks

    def operations(self) -> list[Operation]:
        """What this area offers."""
        return [*self._exports(), self._import(), self._fork()]

    def _exports(self) -> list[Operation]:
        async def everything(call: AdminCall) -> AsyncIterator[bytes]:
            return self._backups.exporter.all(decoded=_decoded(call))

        async def namespace(call: AdminCall) -> AsyncIterator[bytes]:
            mount = self._locator.namespaces.mount(call.path["namespace"])
            return self._backups.exporter.all(namespace=mount.namespace, decoded=_decoded(call))

        async def one(call: AdminCall) -> AsyncIterator[bytes]:
            return self._backups.exporter.one(self._object(call), decoded=_decoded(call))

        return [
            _export("all", "/export", "every object there is", everything),
            _export(
                "namespace",
                "/namespaces/{namespace}/export",
                "every object of a namespace",
                namespace,
                NamespaceUnknown,
            ),
            _export("object", f"{_OBJECT}/export", "one object", one, ObjectUnknown),
        ]

    def _import(self) -> Operation:
        async def take(call: AdminCall) -> AsyncIterator[bytes]:
            query: ImportQuery = call.query
            options = ImportOptions(
                mode=query.mode,
                dry_run=query.dry_run,
                map_nameless=query.nameless is Nameless.MAP,
            )

            async def work(tell: Tell) -> None:
                await self._backups.importer.run(call.stream(), options, tell)

            return told_lines(work, self._tasks)

        return Operation(
            name="import_objects",
            method="POST",
            path="/import",
            role=Role.ADMIN,
            tag=_TAG,
            summary="Import an export",
            description=_IMPORT,
            handle=take,
            query=ImportQuery,
            takes=_NDJSON,
            gives=_NDJSON,
            errors=(BackupUnreadable,),
        )

    def _fork(self) -> Operation:
        async def fork(call: AdminCall) -> Fork:
            body: ForkBody = call.body
            source = self._object(call)
            path = {"namespace": body.namespace or source.namespace, "object": body.name}
            locator = self._locator
            copy = object_of(path, locator.ids, locator.namespaces, name_bytes=NAME_BYTES)
            if body.at is not None:
                digest = await self._backups.forker.fork_at(source, body.at, copy)
            else:
                digest = await self._backups.forker.fork(source, copy, alarms=body.alarms)
            return Fork(
                namespace=copy.namespace,
                name=copy.name,
                id=str(copy),
                rows=digest.rows,
                size_bytes=digest.size_bytes,
                sha256=digest.sha256,
            )

        return Operation(
            name="fork_object",
            method="POST",
            path=f"{_OBJECT}/fork",
            role=Role.ADMIN,
            tag=_TAG,
            summary="Copy an object under another name",
            handle=fork,
            body=ForkBody,
            answer=Fork,
            status=201,
            creates=True,
            errors=_FORK_ERRORS,
        )

    def _object(self, call: AdminCall) -> ObjectId:
        locator = self._locator
        return object_of(call.path, locator.ids, locator.namespaces, name_bytes=LONGEST_NAME_BYTES)


def _export(
    name: str,
    path: str,
    what: str,
    handle: Callable[[AdminCall], Awaitable[AsyncIterator[bytes]]],
    *errors: type[StateroomError],
) -> Operation:
    return Operation(
        name=f"export_{name}",
        method="GET",
        path=path,
        role=Role.VIEWER,
        tag=_TAG,
        summary=f"Export {what}",
        description=_EXPORT,
        handle=handle,
        query=ExportQuery,
        gives=_NDJSON,
        errors=errors,
    )


def _decoded(call: AdminCall) -> bool:
    query: ExportQuery = call.query
    return query.values is Values.DECODED
