"""What an operator does with the life of an object, wherever it lives.

Freezing, thawing and deleting are done by the object's owner: the worker that holds it, or the one
that claims it for this. No instance is started for it. Each may be done twice without harm, so it
is tried again when the owner turns out to be another one. Evicting asks only whoever holds the
object now, and claims nothing.
(docs/decisions/0025)
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from uuid import UUID

import structlog

from ..core.errors import (
    CallTimedOut,
    LinkBroken,
    ObjectDeleted,
    ObjectUnknown,
    RoomAborted,
)
from ..core.ids import ObjectId, WorkerId
from ..core.object_state import ObjectState, ObjectStates
from ..core.values import Claim, LiveWorker
from ..room.closing import CloseReason, Ending
from .finder import OwnerFinder
from .link import Link
from .link_errors import NotBegun
from .link_service import ASK, CallHandler, LinkService, object_meta
from .moving import Mover
from .registry import RoomRegistry

_log = structlog.get_logger("stateroom.life")

DELETED: Final = CloseReason(1000, ObjectDeleted.code)
"""What the sockets of an object are told when it is deleted."""

_ACTIVATE: Final = "activate"
_FREEZE: Final = "freeze"
_THAW: Final = "thaw"
_DELETE: Final = "delete"
_EVICT: Final = "evict"
_SECONDS: Final = 50.0
"""How long one of these may take: the events under way, and those of a start."""


class ObjectLife:
    """See the module.

    Args:
        registry: The rooms of this worker.
        finder: Where other objects are.
        mover: Moves objects.
        states: How objects stand.
        holder: Says how another worker is reached, if it lives.
    """

    def __init__(
        self,
        *,
        registry: RoomRegistry,
        finder: OwnerFinder,
        mover: Mover,
        states: ObjectStates,
        holder: Callable[[WorkerId], Awaitable[Link | None]],
    ) -> None:
        self._registry = registry
        self._finder = finder
        self._mover = mover
        self._states = states
        self._holder = holder

    def serve(self, service: LinkService) -> None:
        """Do it for other workers."""
        service.serve(_ACTIVATE, _served(lambda object_id, _: self._activate(object_id)))
        service.serve(_FREEZE, _served(lambda object_id, _: self._freeze(object_id, frozen=True)))
        service.serve(_THAW, _served(lambda object_id, _: self._freeze(object_id, frozen=False)))
        service.serve(
            _DELETE, _served(lambda object_id, meta: self._delete(object_id, float(meta["grace"])))
        )
        service.serve(_EVICT, self._evict_for_another)

    async def known(self, object_id: ObjectId) -> ObjectState:
        """How an object stands that is there; with its name, if that is known.

        Raises:
            ObjectUnknown: There is none.
            StoreUnavailable: The database is away.
        """
        state = await self._states.state(object_id)
        if state is None:
            raise ObjectUnknown
        return state

    async def activate(self, object_id: ObjectId) -> WorkerId | None:
        """Start an object's instance, where it lives or here; returns its owner.

        Raises:
            ObjectUnknown, ObjectDeleted: It cannot be started.
            StateroomError: It did not start, or could not be reached.
        """
        state = await self._present(object_id)
        await self._at_owner(state.object_id, _ACTIVATE, lambda: self._activate(state.object_id))
        return (await self.known(object_id)).worker_id

    async def freeze(self, object_id: ObjectId, *, frozen: bool) -> ObjectState:
        """Let an object take no changes from now on, or take them again; returns how it stands.

        It waits for the events under way.

        Raises:
            ObjectUnknown, ObjectDeleted: There is nothing to freeze.
            StateroomError: It could not be reached, or its events did not end in time.
        """
        there = (await self._present(object_id)).object_id
        kind = _FREEZE if frozen else _THAW
        await self._at_owner(there, kind, lambda: self._freeze(there, frozen=frozen))
        _log.info("object_frozen" if frozen else "object_thawed", **_names(there))
        return await self.known(object_id)

    async def delete(self, object_id: ObjectId, *, grace_seconds: float) -> ObjectState:
        """Mark an object deleted: end its room, and let nobody claim it; returns how it stands.

        What it stores is kept until it is purged, `grace_seconds` from now at the earliest. Of one
        that is deleted already, the time of its purge is set anew.

        Raises:
            ObjectUnknown: There is none.
            StateroomError: It could not be reached, or its events did not end in time.
        """
        state = await self.known(object_id)
        there = state.object_id
        if state.deleted_ms is None:
            try:
                await self._at_owner(
                    there, _DELETE, lambda: self._delete(there, grace_seconds), grace=grace_seconds
                )
            except ObjectDeleted:
                await self._states.set_purge(there, grace_seconds=grace_seconds)
        else:
            await self._states.set_purge(there, grace_seconds=grace_seconds)
        _log.info("object_deleted", **_names(there), grace_seconds=grace_seconds)
        return await self.known(object_id)

    async def undelete(self, object_id: ObjectId) -> ObjectState:
        """Bring a deleted object back, with all it stored; returns how it stands.

        One that is not deleted stays as it is.

        Raises:
            ObjectUnknown: There is none.
            ObjectDeleted: Its purge has begun.
            StoreUnavailable: The database is away.
        """
        if await self._states.undelete(object_id):
            _log.info("object_undeleted", **_names(object_id))
        return await self._present(object_id)

    async def deleted(self, *, after: tuple[int, UUID] | None, limit: int) -> list[ObjectState]:
        """See `ObjectStates.deleted`."""
        return await self._states.deleted(after=after, limit=limit)

    async def evict(self, object_id: ObjectId, *, close_sockets: bool) -> bool:
        """Drop the instance of an object if it has one; returns whether it had.

        What it kept in memory alone is lost. Its sockets stay, and their next message makes
        another instance; with `close_sockets` the object is given up, and they are told to come
        back. The events under way end first.

        Raises:
            ObjectUnknown: There is none.
            StateroomError: Its holder could not be reached.
        """
        state = await self.known(object_id)
        if state.object_id in self._registry:
            return await self._evict(state.object_id, close_sockets=close_sockets)
        link = await self._holder(state.worker_id) if state.worker_id is not None else None
        if link is None:
            return False
        meta = {"close_sockets": close_sockets}
        return bool((await _ask(link, state.object_id, _EVICT, meta))["evicted"])

    async def move(self, object_id: ObjectId, to: WorkerId | None) -> WorkerId:
        """See `Mover.move`; an object that is not there, or deleted, is not moved."""
        return await self._mover.move((await self._present(object_id)).object_id, to)

    async def _present(self, object_id: ObjectId) -> ObjectState:
        state = await self.known(object_id)
        if state.deleted_ms is not None:
            raise ObjectDeleted
        return state

    async def _at_owner(
        self, object_id: ObjectId, kind: str, here: Callable[[], Awaitable[None]], **meta: object
    ) -> None:
        async def there(link: Link) -> None:
            try:
                await _ask(link, object_id, kind, meta)
            except LinkBroken as error:  # whether it was done is not known: do it again
                raise RoomAborted(error.detail) from error

        try:
            async with asyncio.timeout(_SECONDS):
                await self._finder.reach(object_id, here, there)
        except TimeoutError:
            raise CallTimedOut("the object is busy") from None

    # -- at the owner --------------------------------------------------------------------------

    async def _activate(self, object_id: ObjectId) -> None:
        await self._registry.room(object_id)

    async def _freeze(self, object_id: ObjectId, *, frozen: bool) -> None:
        room = await self._registry.find(object_id)

        async def mark(claim: Claim) -> bool:
            return await self._states.set_frozen(claim, frozen=frozen)

        await room.life.freezing.set(mark, frozen=frozen)

    async def _delete(self, object_id: ObjectId, grace_seconds: float) -> None:
        await self._registry.find(object_id)
        deleted = False

        async def give_up(claim: Claim) -> None:
            nonlocal deleted
            if not await self._states.delete(claim, grace_seconds=grace_seconds):
                raise RoomAborted("another worker has the object by now")
            deleted = True

        ending = Ending(give_up, DELETED, "deleted")
        await self._registry.hand_over(object_id, _to_nobody, ending=ending)
        if not deleted:
            raise RoomAborted("the object was given up in another way meanwhile")

    async def _evict(self, object_id: ObjectId, *, close_sockets: bool) -> bool:
        room = self._registry.at_hand(object_id)
        if room is None:
            return False
        if close_sockets:
            return await self._registry.hand_over(object_id, _to_nobody)
        if not room.awake:
            return False
        await room.life.evict()
        return True

    async def _evict_for_another(
        self, object_id: ObjectId, meta: Mapping[str, Any], _body: bytes
    ) -> tuple[dict[str, Any], bytes]:
        evicted = await self._evict(object_id, close_sockets=bool(meta.get("close_sockets")))
        return {"evicted": evicted}, b""


def _served(work: Callable[[ObjectId, Mapping[str, Any]], Awaitable[None]]) -> CallHandler:
    async def serve(
        object_id: ObjectId, meta: Mapping[str, Any], _body: bytes
    ) -> tuple[dict[str, Any], bytes]:
        await work(object_id, meta)
        return {}, b""

    return serve


async def _ask(
    link: Link, object_id: ObjectId, kind: str, meta: Mapping[str, object]
) -> Mapping[str, Any]:
    try:
        answer, _ = await link.call(
            {**object_meta(object_id), **meta, ASK: kind}, b"", within_seconds=_SECONDS
        )
    except NotBegun as refused:
        raise refused.error from refused
    return answer


async def _to_nobody() -> LiveWorker | None:
    """Whoever asks for it next may have it, if anybody may."""
    return None


def _names(object_id: ObjectId) -> dict[str, str]:
    return {"namespace": object_id.namespace, "object": object_id.name or str(object_id)}
