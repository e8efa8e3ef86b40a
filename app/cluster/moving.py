"""Moving rooms: one object to another worker, or all of them off this one.

**One object**: its room ends its event, commits, closes its sockets with 1012 and releases it;
then the next owner is asked over a link to claim and start it. Whoever asks for the object here
meanwhile waits and is sent there. A client that comes back to a third worker in that moment may be
faster than the target, which then refuses: the object lives where that client is.

**All of them**: a worker that drains claims nothing any more, is not ready, and lets its rooms go
at a pace (`pace`); each is claimed again where its next event arrives (first touch). It serves
what is still here and forwards the rest (`finder`). Draining on request ends with `undrain`; at
the end of the process it is for ever.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import structlog

from ..core.clock import Clock
from ..core.errors import LinkBroken, OwnedElsewhere, StateroomError, WorkerLeaving, WorkerNotLive
from ..core.ids import ObjectId, WorkerId
from ..core.ports import WorkerLeases
from ..core.tasks import TaskOwner
from ..core.values import LiveWorker
from .drain_mark import DrainMark
from .finder import OwnerFinder
from .link import Link
from .link_errors import NotBegun
from .link_service import ASK, LinkService, object_meta
from .links import Links
from .membership import Membership
from .peers import Peers
from .registry import RoomRegistry

_log = structlog.get_logger("stateroom.moving")

ADOPT = "adopt"
MOVE = "move"
_TRIES = 5
_PAUSE_SECONDS = 0.05
_MARK_SECONDS = 2.0
_ADOPT_SECONDS = 60.0
"""A claim and a start; the longest start is a setting, and whoever sets it higher moves again."""
_MOVE_SECONDS = 180.0
"""The events of a room, its commit, and the other's claim and start."""


class Duty(StrEnum):
    """What a worker does with rooms: take them, or give them up (for now, or for ever)."""

    SERVING = "serving"
    DRAINING = "draining"
    LEAVING = "leaving"


class _Adopted(NamedTuple):
    """A target has the object; `new` says whether it had it before it was asked."""

    new: bool


class Mover:
    """See the module.

    Args:
        registry: The rooms of this worker.
        membership: Who this worker is.
        leases: Where it says that it drains.
        peers: The other workers.
        links: The ways to them.
        finder: Told where a moved object went.
        clock: For the waits between tries.
    """

    def __init__(
        self,
        *,
        registry: RoomRegistry,
        membership: Membership,
        leases: WorkerLeases,
        peers: Peers,
        links: Links,
        finder: OwnerFinder,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._mark = DrainMark(leases, membership, clock)
        self._peers = peers
        self._links = links
        self._finder = finder
        self._clock = clock
        self._tasks = TaskOwner("mover")
        self._draining: asyncio.Task[None] | None = None
        self._watched = False
        self._changing = asyncio.Lock()
        self.duty = Duty.SERVING

    def serve(self, service: LinkService) -> None:
        """Answer what other workers ask about moving."""
        service.serve(ADOPT, self._adopt_for_another)
        service.serve(MOVE, self._move_for_another)

    async def close(self) -> None:
        """Stop what runs on its own; the worker's duty stays as it is."""
        await self._tasks.close()

    # -- one object ----------------------------------------------------------------------------

    async def move(self, object_id: ObjectId, to: WorkerId | None = None) -> WorkerId:
        """Let a worker have an object, wherever it lives now; return its new owner.

        Without `to` it goes to any other worker than the one it is at. An object that nobody
        holds is claimed and started by the target; one that is there already stays. Cancelling
        it does not stop a move that has begun.

        Raises:
            WorkerNotLive: The target, or any other worker, does not take objects. Nothing moved.
            LinkBroken: The target or the owner cannot be reached. If the object was here and the
                link was there at first, it has been released and is free for anybody.
            StateroomError: Why the target did not take it; the object is free for anybody, or
                where an `OwnedElsewhere` says.
        """
        for attempt in range(_TRIES):
            if attempt:
                await self._clock.sleep(_PAUSE_SECONDS)
            if object_id in self._registry:
                moved_to = await self._move_from_here(object_id, to)
                if moved_to is not None:
                    return moved_to
                continue
            target = await self._target(object_id, to, without=())
            try:
                adopted = await self._offer(target, object_id)
            except OwnedElsewhere as error:
                if error.worker_id is None or error.worker_id == self._peers.own_id:
                    continue
                owner = LiveWorker(worker_id=WorkerId(error.worker_id), address=error.address)
            else:
                if adopted.new or to is not None:
                    return target.worker_id
                owner = target
            with suppress(OwnedElsewhere):  # it is not there any more: look again
                return await self._ask_owner(owner, object_id, to)
        raise OwnedElsewhere("the object moves about by itself; try again")

    async def _move_from_here(self, object_id: ObjectId, to: WorkerId | None) -> WorkerId | None:
        """Give an object of ours to another worker; None when it is not here after all."""
        own_id = self._peers.own_id
        if to == own_id:
            await self._registry.room(object_id)
            return own_id
        target = await self._target(object_id, to, without=(own_id,))
        link = await self._link_to(target)  # before anything is given up
        refusals: list[StateroomError] = []

        async def bring() -> LiveWorker | None:
            try:
                await _ask(link, object_meta(object_id) | {ASK: ADOPT}, _ADOPT_SECONDS)
            except StateroomError as error:
                refusals.append(error)
                return None
            self._finder.note(object_id, target)
            return target

        if not await self._registry.hand_over(object_id, bring):
            return None
        if refusals:
            raise refusals[0]
        _log.info("object_moved", object=str(object_id), to=str(target.worker_id))
        return target.worker_id

    async def _target(
        self, object_id: ObjectId, to: WorkerId | None, *, without: tuple[WorkerId, ...]
    ) -> LiveWorker:
        if to is not None:
            found = await self._peers.get(to)
        else:
            found = await self._peers.choose(object_id, without=without)
        if found is None:
            raise WorkerNotLive
        return found

    async def _offer(self, target: LiveWorker, object_id: ObjectId) -> _Adopted:
        if target.worker_id == self._peers.own_id:
            return await self._adopt(object_id)
        link = await self._link_to(target)
        answer = await _ask(link, object_meta(object_id) | {ASK: ADOPT}, _ADOPT_SECONDS)
        return _Adopted(new=bool(answer["new"]))

    async def _ask_owner(
        self, owner: LiveWorker, object_id: ObjectId, to: WorkerId | None
    ) -> WorkerId:
        link = await self._link_to(owner)
        meta = object_meta(object_id) | {ASK: MOVE, "to": None if to is None else str(to)}
        answer = await _ask(link, meta, _MOVE_SECONDS)
        return WorkerId(UUID(str(answer["worker"])))

    async def _link_to(self, worker: LiveWorker) -> Link:
        if not worker.address:
            raise LinkBroken("that worker has no address")
        return await self._links.to(worker.worker_id, worker.address)

    async def _adopt(self, object_id: ObjectId) -> _Adopted:
        """Make sure that the object's room is here and started.

        It never waits for a room that is leaving here: that one may be on its way to the very
        worker that asks, and each would wait for the other.
        """
        registry = self._registry
        new = object_id not in registry
        if not registry.gives_up(object_id):
            room = await registry.find(object_id)
            if room.open and not room.awake:  # one that is awake may be busy for long
                await room.wake()
            if room.open:
                return _Adopted(new=new)
        raise OwnedElsewhere("the object is on its way from here to somebody else")

    async def _adopt_for_another(
        self, object_id: ObjectId, _meta: Mapping[str, Any], _body: bytes
    ) -> tuple[dict[str, Any], bytes]:
        return (await self._adopt(object_id))._asdict(), b""

    async def _move_for_another(
        self, object_id: ObjectId, meta: Mapping[str, Any], _body: bytes
    ) -> tuple[dict[str, Any], bytes]:
        to = meta.get("to")
        try:
            target = None if to is None else WorkerId(UUID(str(to)))
        except ValueError:
            raise WorkerNotLive from None
        moved_to = None
        if object_id in self._registry:
            moved_to = await self._move_from_here(object_id, target)
        if moved_to is None:
            raise OwnedElsewhere("the object is not here")
        return {"worker": str(moved_to)}, b""

    # -- all of them ---------------------------------------------------------------------------

    @property
    def drained(self) -> bool:
        """Whether this worker takes no rooms and has none left."""
        return self.duty is not Duty.SERVING and not len(self._registry)

    async def drain_worker(self) -> None:
        """Begin to give every room up at the set pace, and take no others until `undrain`.

        Returns when that is under way; `drained` tells the end. Doing it twice changes nothing;
        whoever asks while another one does waits for how that ends.

        Raises:
            WorkerLeaving: The worker is going away for ever already.
            StoreUnavailable: The database is away; the worker goes on as before.
        """
        async with self._changing:
            await self._drain_worker()

    async def _drain_worker(self) -> None:
        if self.duty is Duty.LEAVING:
            raise WorkerLeaving
        if self.duty is Duty.DRAINING:
            return
        self.duty = Duty.DRAINING
        self._registry.taking = False
        if not self._watched:
            self._watched = True
            self._tasks.start(
                self._mark.keep(lambda: self.duty is not Duty.SERVING), name="drain-mark"
            )
        try:
            await self._mark.say(draining=True)
        except StateroomError:
            self._serve_again()
            raise
        _log.info("worker_drains", rooms=len(self._registry))
        self._draining = self._tasks.start(self._registry.empty(), name="drain")

    async def undrain(self) -> None:
        """Take rooms again. Those that have begun to leave do leave.

        Raises:
            WorkerLeaving: The worker is going away for ever.
            StoreUnavailable: The database is away; the worker drains on.
        """
        async with self._changing:
            await self._undrain()

    async def _undrain(self) -> None:
        if self.duty is Duty.LEAVING:
            raise WorkerLeaving
        if self.duty is Duty.SERVING:
            return
        await self._mark.say(draining=False)
        self._stop_draining()
        self._serve_again()
        _log.info("worker_serves_again")

    async def leave(self, *, deadline_seconds: float) -> None:
        """Give every room up in good order before the deadline, for ever: the process ends."""
        self.duty = Duty.LEAVING
        self._stop_draining()
        self._tasks.start(self._say_farewell(), name="mark")
        await self._registry.drain(deadline_seconds=deadline_seconds)

    def _serve_again(self) -> None:
        if self.duty is Duty.DRAINING:
            self.duty = Duty.SERVING
            self._registry.taking = True

    def _stop_draining(self) -> None:
        if self._draining is not None:
            self._draining.cancel()
            self._draining = None

    async def _say_farewell(self) -> None:
        """Tell the others, if the database listens; they would learn it from a refusal."""
        with suppress(StateroomError, TimeoutError):
            async with asyncio.timeout(_MARK_SECONDS):
                await self._mark.say(draining=True)


async def _ask(link: Link, meta: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
    """Ask another worker; whether it had begun makes no difference to a move."""
    try:
        answer, _ = await link.call(meta, b"", within_seconds=seconds)
    except NotBegun as refused:
        raise refused.error from refused
    return answer
