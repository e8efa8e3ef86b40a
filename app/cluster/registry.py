"""The room registry: finds or makes the one live room of an object on this worker.

The first event that reaches a worker claims the object (first touch): claim, then load, then
`on_start`. However many callers arrive at once, one activation serves them all. Rooms that are
idle rest (hibernate) or leave; when the worker loses its lease all rooms are aborted.
"""

import asyncio
from collections.abc import Iterable
from uuid import UUID

import structlog

from ..core.errors import (
    LeaseLost,
    Overloaded,
    RoomAborted,
    StateroomError,
    WorkerLeaving,
)
from ..core.ids import ObjectId, ObjectIds
from ..core.sockets import SocketSink, SocketTransport
from ..core.tasks import TaskOwner
from ..core.values import Claim, Receipt
from ..room.environment import RoomEnvironment
from ..room.room import Room
from ..sdk.messages import Request, Response
from .membership import Membership, Standing
from .namespaces import Namespaces

_log = structlog.get_logger("stateroom.registry")

_TRIES = 3


class RoomRegistry:
    """See the module.

    Args:
        ids: Makes the ids of this cluster.
        namespaces: What is mounted.
        environment: What all rooms share.
        membership: This worker's standing.
        evict_seconds: A room without sockets and events for this long is given up.
        max_rooms: One more is refused.
    """

    def __init__(
        self,
        *,
        ids: ObjectIds,
        namespaces: Namespaces,
        environment: RoomEnvironment,
        membership: Membership,
        evict_seconds: float,
        max_rooms: int,
    ) -> None:
        self.ids = ids
        self.namespaces = namespaces
        self._environment = environment
        self._membership = membership
        self._evict_seconds = evict_seconds
        self._max_rooms = max_rooms
        self._rooms: dict[UUID, Room] = {}
        self._opening: dict[UUID, asyncio.Task[Room | StateroomError]] = {}
        self._leaving: dict[UUID, asyncio.Task[None]] = {}
        self._claiming = 0
        self._tasks = TaskOwner("registry")

    def __len__(self) -> int:
        return len(self._rooms)

    def __contains__(self, object_id: ObjectId) -> bool:
        """Whether the object's room is here, or on its way."""
        key = object_id.uuid
        return key in self._rooms or key in self._opening or key in self._leaving

    @property
    def rooms(self) -> Iterable[Room]:
        """The rooms of this worker now."""
        return self._rooms.values()

    async def connect(
        self,
        object_id: ObjectId,
        request: Request,
        transport: SocketTransport,
        connection_id: str,
    ) -> SocketSink:
        """Bring a socket to its object.

        Raises:
            StateroomError: The object could not be reached; nothing was sent to the socket.
        """
        room = await self.room(object_id)
        return room.join(request, transport, connection_id)

    async def request(self, object_id: ObjectId, request: Request) -> tuple[Response, Receipt]:
        """Run an object's `on_request`.

        Raises:
            StateroomError: The object could not be reached or failed.
        """
        room = await self.room(object_id)
        return await room.request(request)

    async def room(self, object_id: ObjectId) -> Room:
        """Return the object's room, open and with a started instance.

        It stays so until the caller awaits something.

        Raises:
            StateroomError: It could not be claimed, loaded or started.
        """
        for _ in range(_TRIES):
            room = await self._find(object_id)
            if room.open:
                await room.wake()
            if room.open:
                return room
        raise RoomAborted

    async def _find(self, object_id: ObjectId) -> Room:
        """Return the object's room, or make it; it may be leaving again by now."""
        key = object_id.uuid
        while (leaving := self._leaving.get(key)) is not None:
            await asyncio.wait([leaving])
        room = self._rooms.get(key)
        if room is not None:
            return room
        opening = self._opening.get(key)
        if opening is None:
            opening = self._tasks.start(self._try_to_open(object_id), name="activation")
            self._opening[key] = opening
            opening.add_done_callback(lambda _task: self._opening.pop(key, None))
        # The activation belongs to all who wait for it: one caller's leaving ends nothing.
        await asyncio.wait([opening])
        if opening.cancelled():
            raise WorkerLeaving
        opened = opening.result()
        if isinstance(opened, StateroomError):
            raise opened
        return opened

    def abort_all(self, error: StateroomError) -> None:
        """Throw every room away."""
        for room in list(self._rooms.values()):
            room.abort(error)

    async def drain(self, *, deadline_seconds: float) -> None:
        """Give every room up in good order; those that take too long are aborted."""
        await self._membership.leave()
        try:
            async with asyncio.timeout(deadline_seconds):
                if self._opening:  # they end by themselves: nothing is claimed any more
                    await asyncio.wait(self._opening.values())
                await asyncio.gather(*(self._leave(room) for room in list(self._rooms.values())))
        except TimeoutError:
            _log.warning("drain_timed_out", rooms=len(self._rooms))
            self.abort_all(WorkerLeaving())

    async def close(self) -> None:
        """Stop the registry's own tasks."""
        await self._tasks.close()

    async def sweep(self, *, every_seconds: float) -> None:
        """Rest idle rooms, for ever. One pass looks at every room and costs microseconds each."""
        idle_since: dict[UUID, float] = {}
        clock = self._environment.clock
        while True:
            await clock.sleep(every_seconds)
            now = clock.monotonic()
            for key in idle_since.keys() - self._rooms.keys():
                del idle_since[key]
            for key, room in list(self._rooms.items()):
                if room.touched or not room.idle:
                    room.touched = False
                    idle_since[key] = now
                else:
                    self._rest(room, now - idle_since.setdefault(key, now))

    def _rest(self, room: Room, idle_seconds: float) -> None:
        """Let an idle room go to sleep, or go."""
        if not room.members and idle_seconds >= max(self._evict_seconds, room.idle_seconds):
            self._leave(room, draining=False)
        elif idle_seconds >= room.idle_seconds and room.awake:
            self._tasks.start(room.hibernate(), name="hibernation")

    def _leave(self, room: Room, *, draining: bool = True) -> "asyncio.Task[None]":
        key = room.object_id.uuid
        leaving = self._leaving.get(key)
        if leaving is None:
            leaving = self._tasks.start(room.leave(draining=draining), name="departure")
            self._leaving[key] = leaving
            leaving.add_done_callback(lambda _task: self._leaving.pop(key, None))
        return leaving

    async def _try_to_open(self, object_id: ObjectId) -> Room | StateroomError:
        """Open a room. An error is for those who wait, who may be gone; it is no fault of ours."""
        try:
            return await self._open(object_id)
        except StateroomError as error:
            return error

    async def _open(self, object_id: ObjectId) -> Room:
        """Claim an object and make its room; the instance comes with the first event."""
        mount = self.namespaces.mount(object_id.namespace)
        if len(self._rooms) + self._claiming >= self._max_rooms:
            raise Overloaded(f"this worker holds {len(self._rooms)} rooms")
        self._claiming += 1
        try:
            claim = await self._claim(object_id)
        finally:
            self._claiming -= 1
        if self._membership.standing is Standing.LEAVING:
            await self._environment.store.release(claim)
            raise WorkerLeaving
        if claim.worker_id != self._membership.worker_id or not self._membership.holds():
            raise LeaseLost
        room = Room(mount=mount, environment=self._environment, claim=claim, gone=self._forget)
        self._rooms[object_id.uuid] = room
        self._environment.counters("rooms_opened")
        return room

    async def _claim(self, object_id: ObjectId) -> Claim:
        if self._membership.standing is Standing.LEAVING:
            raise WorkerLeaving
        if not self._membership.holds():
            raise LeaseLost
        return await self._environment.store.claim(object_id, self._membership.worker_id)

    def _forget(self, room: Room) -> None:
        if self._rooms.get(room.object_id.uuid) is room:
            del self._rooms[room.object_id.uuid]
