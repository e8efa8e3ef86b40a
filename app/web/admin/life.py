"""The life of one object: start, evict, move, freeze, thaw, delete, undelete.

(docs/decisions/0025)
"""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from ...cluster.locator import Locator
from ...cluster.object_life import ObjectLife
from ...cluster.purging import Purger
from ...core.admin import Role
from ...core.admin_errors import CursorInvalid
from ...core.errors import (
    IdInvalid,
    NamespaceUnknown,
    ObjectDeleted,
    ObjectUnknown,
    WorkerNotLive,
)
from ...core.ids import ObjectId, WorkerId
from ...core.limits import MOST_GRACE_SECONDS
from ...core.object_state import ObjectState
from .models import Asked, Instant, Page, PageQuery, Told, instant_of_ms
from .objects_named import object_of
from .operation import AdminCall, Operation
from .paging import Keyset

_OBJECT = "/namespaces/{namespace}/objects/{object}"
_TAG = "life"
_LIST = Keyset("list_deleted_objects", int, bytes)
_ERRORS = (NamespaceUnknown, IdInvalid, ObjectUnknown, ObjectDeleted)


class LifeState(Told):
    """How an object stands as a whole."""

    id: str
    """64 hex digits."""
    namespace: str
    """Where it is mounted."""
    name: str | None
    """Its name, if it has one that is known."""
    worker_id: UUID | None
    """The worker that claimed it last and has not given it up."""
    frozen_at: Instant | None
    """Since when it takes no changes; null when it takes them."""
    deleted_at: Instant | None
    """Since when it is deleted; null when it is not."""
    purge_at: Instant | None
    """From when on it cannot be undeleted any more."""
    purged: bool = False
    """Whether nothing is left of it already."""


class DeletedPage(Page[LifeState]):
    """Deleted objects of all namespaces, those that are purged first at the head."""


class EvictQuery(Asked):
    """How an object is evicted."""

    close_sockets: bool = False
    """Whether its sockets are closed with 1012 as well, and its worker gives it up."""


class Evicted(Told):
    """What came of it."""

    evicted: bool
    """False when there was nothing to evict: the object slept, or nobody held it."""


class MoveTo(Asked):
    """Where an object is to live."""

    worker_id: UUID | None = None
    """The worker; null lets any other one than its present one take it."""


class Moved(Told):
    """Where an object lives now."""

    worker_id: UUID
    """Its owner."""


class Activated(Told):
    """Where an object was started."""

    worker_id: UUID | None
    """Its owner."""


class DeleteQuery(Asked):
    """How an object is deleted."""

    grace_seconds: (
        Annotated[float, Field(ge=0, le=MOST_GRACE_SECONDS, allow_inf_nan=False)] | None
    ) = None
    """How long it can be undeleted; 0 removes everything at once. Unset: as the settings say."""


class LifeOperations:
    """See the module.

    Args:
        life: Does it, wherever the object lives.
        purger: Removes at once what has no grace.
        locator: Has the ids and namespaces.
        name_bytes: The longest name of an object.
        grace_seconds: How long a deleted object can be undeleted, if nothing else is asked.
    """

    def __init__(
        self,
        life: ObjectLife,
        purger: Purger,
        locator: Locator,
        *,
        name_bytes: int,
        grace_seconds: float,
    ) -> None:
        self._life = life
        self._purger = purger
        self._locator = locator
        self._name_bytes = name_bytes
        self._grace_seconds = grace_seconds

    def operations(self) -> list[Operation]:
        """What this area offers."""
        return [*self._of_workers(), *self._of_states(), *self._of_ends()]

    def _of_workers(self) -> list[Operation]:
        return [
            Operation(
                name="activate_object",
                method="POST",
                path=_OBJECT + "/activate",
                role=Role.OPERATOR,
                tag=_TAG,
                summary="Start an object in a worker, if it is awake in none",
                handle=self._activate,
                answer=Activated,
                errors=_ERRORS,
            ),
            Operation(
                name="evict_object",
                method="POST",
                path=_OBJECT + "/evict",
                role=Role.OPERATOR,
                tag=_TAG,
                summary="Drop what an object keeps in memory; its next event starts it again",
                handle=self._evict,
                query=EvictQuery,
                answer=Evicted,
                errors=_ERRORS,
            ),
            Operation(
                name="move_object",
                method="POST",
                path=_OBJECT + "/move",
                role=Role.OPERATOR,
                tag=_TAG,
                summary="Let another worker have an object",
                handle=self._move,
                body=MoveTo,
                answer=Moved,
                errors=(*_ERRORS, WorkerNotLive),
            ),
        ]

    def _of_states(self) -> list[Operation]:
        return [
            Operation(
                name=f"{verb}_object",
                method="POST",
                path=f"{_OBJECT}/{verb}",
                role=Role.OPERATOR,
                tag=_TAG,
                summary=summary,
                handle=handle,
                answer=LifeState,
                errors=_ERRORS,
            )
            for verb, summary, handle in (
                ("freeze", "Let an object take no changes until it is thawed", self._freeze),
                ("thaw", "Let an object take changes again", self._thaw),
            )
        ]

    def _of_ends(self) -> list[Operation]:
        return [
            Operation(
                name="list_deleted_objects",
                method="GET",
                path="/deleted-objects",
                role=Role.VIEWER,
                tag=_TAG,
                summary="List the deleted objects that are not purged yet",
                handle=self._list_deleted,
                query=PageQuery,
                answer=DeletedPage,
                errors=(CursorInvalid,),
            ),
            Operation(
                name="delete_object",
                method="DELETE",
                path=_OBJECT,
                role=Role.ADMIN,
                tag=_TAG,
                summary="Delete an object; it can be undeleted for a grace time",
                handle=self._delete,
                query=DeleteQuery,
                answer=LifeState,
                errors=_ERRORS,
            ),
            Operation(
                name="undelete_object",
                method="POST",
                path=_OBJECT + "/undelete",
                role=Role.ADMIN,
                tag=_TAG,
                summary="Bring a deleted object back, with all it stored",
                handle=self._undelete,
                answer=LifeState,
                errors=_ERRORS,
            ),
        ]

    async def _activate(self, call: AdminCall) -> Activated:
        return Activated(worker_id=await self._life.activate(self._object(call)))

    async def _evict(self, call: AdminCall) -> Evicted:
        query: EvictQuery = call.query
        object_id = self._object(call)
        return Evicted(evicted=await self._life.evict(object_id, close_sockets=query.close_sockets))

    async def _move(self, call: AdminCall) -> Moved:
        body: MoveTo = call.body
        to = None if body.worker_id is None else WorkerId(body.worker_id)
        return Moved(worker_id=await self._life.move(self._object(call), to))

    async def _freeze(self, call: AdminCall) -> LifeState:
        return _told(await self._life.freeze(self._object(call), frozen=True))

    async def _thaw(self, call: AdminCall) -> LifeState:
        return _told(await self._life.freeze(self._object(call), frozen=False))

    async def _delete(self, call: AdminCall) -> LifeState:
        query: DeleteQuery = call.query
        grace = query.grace_seconds
        grace = self._grace_seconds if grace is None else grace
        object_id = self._object(call)
        state = await self._life.delete(object_id, grace_seconds=grace)
        purged = grace == 0 and await self._purger.purge_now(object_id)
        return _told(state, purged=purged)

    async def _list_deleted(self, call: AdminCall) -> DeletedPage:
        query: PageQuery = call.query
        wanted = _LIST.slice(query)
        after = None
        if wanted.after is not None:
            after = wanted.after[0], _uuid(wanted.after[1])
        found = await self._life.deleted(after=after, limit=wanted.limit)
        kept, cursor = _LIST.page(
            query, found, lambda state: (state.purge_ms or 0, state.object_id.uuid.bytes)
        )
        return DeletedPage(items=[_told(state) for state in kept], next_cursor=cursor)

    async def _undelete(self, call: AdminCall) -> LifeState:
        return _told(await self._life.undelete(self._object(call)))

    def _object(self, call: AdminCall) -> ObjectId:
        locator = self._locator
        return object_of(call.path, locator.ids, locator.namespaces, name_bytes=self._name_bytes)


def _uuid(raw: bytes) -> UUID:
    try:
        return UUID(bytes=raw)
    except ValueError:
        raise CursorInvalid from None


def _told(state: ObjectState, *, purged: bool = False) -> LifeState:
    return LifeState(
        id=str(state.object_id),
        namespace=state.object_id.namespace,
        name=state.object_id.name,
        worker_id=state.worker_id,
        frozen_at=_instant(state.frozen_ms),
        deleted_at=_instant(state.deleted_ms),
        purge_at=_instant(state.purge_ms),
        purged=purged,
    )


def _instant(milliseconds: int | None) -> Instant | None:
    return None if milliseconds is None else instant_of_ms(milliseconds)
