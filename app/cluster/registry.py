"""The room registry: finds or makes the one live room of an object on this worker.

The first event that reaches a worker claims the object (first touch): claim, then load, then
`on_start`. However many callers arrive at once, one activation serves them all. Rooms that are
idle rest (hibernate) or leave; when the worker loses its lease all rooms are aborted.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from uuid import UUID

import structlog

from ..core.errors import (
    Overloaded,
    OwnedElsewhere,
    RoomAborted,
    StateroomError,
    WorkerLeaving,
)
from ..core.ids import ObjectId, ObjectIds
from ..core.sockets import SocketSink, SocketTransport
from ..core.tasks import TaskOwner
from ..core.values import LiveWorker
from ..core.workshop import breathe
from ..room.closing import Ending
from ..room.environment import RoomEnvironment
from ..room.room import Room
from ..sdk.messages import Request
from .claiming import Claiming
from .falls import Falls
from .membership import Membership
from .namespaces import Namespaces
from .orphans import Orphans
from .pace import Departures, Pace
from .reserving import Reservations
from .rest import IdleRooms
from .watchdog import Watchdog

_log = structlog.get_logger("stateroom.registry")

_TRIES = 3
_ROOMS_AT_A_LOOK = 250
"""So many are looked at before events may run again: half a millisecond."""
_DEPARTURE_SECONDS = 30.0
"""How long a room may take to leave beyond the longest event that may run in it."""

Then = Callable[[], Awaitable[LiveWorker | None]]
"""What follows when a room has left, before anybody else may ask for it here: its next owner."""


class RoomRegistry:
    """See the module.

    Args:
        ids: Makes the ids of this cluster.
        namespaces: What is mounted.
        environment: What all rooms share.
        membership: This worker's standing.
        evict_seconds: A room without sockets and events for this long is given up.
        max_rooms: One more is refused.
        pace: How fast rooms leave when all have to.

    Attributes:
        taking: Whether objects are claimed. A worker that drains serves the rooms that are still
            here and takes no others.
        reservations: Keeps objects from being opened here while somebody writes into them.
        watchdog: Knows the rooms that do not get on.
        ledger: What the objects of this worker cost.
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
        pace: Pace | None = None,
    ) -> None:
        self.ids = ids
        self.namespaces = namespaces
        self._environment = environment
        self.exchange, self.ledger = environment.exchange, environment.ledger
        self._membership = membership
        self._evict_seconds = evict_seconds
        self._max_rooms = max_rooms
        self._rooms: dict[UUID, Room] = {}
        self._opening: dict[UUID, asyncio.Task[Room | StateroomError]] = {}
        self._leaving: dict[UUID, asyncio.Task[LiveWorker | None]] = {}
        self._orphans = Orphans(environment.store)
        self._claims = Claiming(environment, membership, self._orphans, lambda: self.taking)
        self._falls = Falls()
        self._gone = self._forget  # bound once for all rooms
        self._pace = pace or Pace()
        self.taking = True
        self.watchdog = Watchdog(lease_seconds=membership.lease_seconds, count=environment.counters)
        self._claiming = 0
        self._tasks = TaskOwner("registry")
        self.reservations = Reservations(self._leaving, self._claims, self._tasks, environment)

    def __len__(self) -> int:
        return len(self._rooms)

    def __contains__(self, object_id: ObjectId) -> bool:
        """Whether the object's room is here, or on its way."""
        key = object_id.uuid
        return key in self._rooms or key in self._opening or key in self._leaving

    def gives_up(self, object_id: ObjectId) -> bool:
        """Whether the object's room is just leaving."""
        return object_id.uuid in self._leaving

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

    def at_hand(self, object_id: ObjectId) -> Room | None:
        """The object's room, if it is here and open; nothing is started or waited for."""
        room = self._rooms.get(object_id.uuid)
        return room if room is not None and room.open else None

    async def room(self, object_id: ObjectId) -> Room:
        """Return the object's room, open and with a started instance.

        It stays so until the caller awaits something. Starting the instance waits for the event
        that runs, as an event would: what must not wait uses `find`.

        Raises:
            StateroomError: It could not be claimed, loaded or started.
        """
        for _ in range(_TRIES):
            room = await self.find(object_id)
            if room.open:
                await room.wake()
            if room.open:
                return room
        raise RoomAborted

    async def find(self, object_id: ObjectId) -> Room:
        """Return the object's room, or make it; it may be leaving again by now. See `room`."""
        key = object_id.uuid
        while (leaving := self._leaving.get(key)) is not None:
            await asyncio.wait([leaving])
            if not leaving.cancelled() and (holder := leaving.result()) is not None:
                raise OwnedElsewhere(worker_id=holder.worker_id, address=holder.address)
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
        """Give every room up in good order, for ever; those that take too long are aborted."""
        await self._membership.leave()
        self.taking = False
        try:
            async with asyncio.timeout(deadline_seconds):
                await self.empty(within_seconds=deadline_seconds)
        except TimeoutError:
            _log.warning("drain_timed_out", rooms=len(self._rooms))
            self.abort_all(WorkerLeaving())

    async def empty(self, *, within_seconds: float | None = None) -> None:
        """Let every room leave at the set pace, or faster if there is a deadline.

        Nothing is claimed meanwhile (`taking` is False), so what is empty stays empty.
        """
        if self._opening:  # they end by themselves: nothing is claimed any more
            await asyncio.wait(self._opening.values())
        departures = Departures(self._leave, clock=self._environment.clock, pace=self._pace)
        await departures.run(list(self._rooms.values()), within_seconds=within_seconds)

    async def hand_over(
        self, object_id: ObjectId, then: Then, *, ending: Ending | None = None
    ) -> bool:
        """Let one room leave, and `then` bring its object to another owner.

        Whoever asks for the object here meanwhile waits, and is told the next owner. With an
        `ending` the object is given up that way instead of being released. Returns
        False when no room of the object was here, or it was leaving already; then nothing was
        done. Cancelling leaves the room to leave.
        """
        key = object_id.uuid
        if (opening := self._opening.get(key)) is not None:
            await asyncio.wait([opening])
        room = self._rooms.get(key)
        if (leaving := self._leaving.get(key)) is None and room is not None:
            await asyncio.wait([self._leave(room, then=then, ending=ending)])
            return True
        if leaving is not None:
            await asyncio.wait([leaving])
        return False

    async def close(self) -> None:
        """Stop the registry's own tasks."""
        await self._tasks.close()

    async def sweep(self, *, every_seconds: float) -> None:
        """Let idle rooms rest or go, and look for rooms that do not get on; for ever."""
        idle_rooms = IdleRooms(evict_seconds=self._evict_seconds)
        clock = self._environment.clock
        while True:
            await clock.sleep(every_seconds)
            await self._orphans.release_all(draining=not self.taking)
            now = clock.monotonic()
            idle_rooms.forget(self._rooms)
            busy: list[Room] = []
            rooms = list(self._rooms.items())
            for start in range(0, len(rooms), _ROOMS_AT_A_LOOK):
                found = idle_rooms.look(rooms[start : start + _ROOMS_AT_A_LOOK], now)
                busy += found.busy
                for room in found.leaving:
                    self._leave(room, draining=False)
                for room in found.resting:
                    self._tasks.start(room.hibernate(), name="hibernation")
                await breathe()
            lives = (room.life for room in busy)
            self.watchdog.look(lives, now=now, speaking=self._membership.holds())

    def _leave(
        self,
        room: Room,
        *,
        draining: bool = True,
        then: Then | None = None,
        ending: Ending | None = None,
    ) -> "asyncio.Task[LiveWorker | None]":
        key = room.object_id.uuid
        leaving = self._leaving.get(key)
        if leaving is None:
            departure = self._depart(room, draining=draining, then=then, ending=ending)
            leaving = self._tasks.start(departure, name="departure")
            self._leaving[key] = leaving
            leaving.add_done_callback(lambda _task: self._leaving.pop(key, None))
        return leaving

    async def _depart(
        self, room: Room, *, draining: bool, then: Then | None, ending: Ending | None
    ) -> LiveWorker | None:
        patience = room.event_timeout_seconds + _DEPARTURE_SECONDS
        try:
            async with asyncio.timeout(patience):
                await room.leave(draining=draining, ending=ending)
        except TimeoutError:  # it has been aborted
            _log.warning("departure_timed_out", seconds=patience)
        if then is None:
            return None
        await self._orphans.release(room.object_id.uuid)
        return await then()

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
            clock = self._environment.clock
            wait = self._falls.wait_seconds(object_id.uuid, clock.monotonic())
            if wait > 0:
                await clock.sleep(wait)
            claim = await self._claims.claim(object_id)
        finally:
            self._claiming -= 1
        room = Room(mount=mount, environment=self._environment, claim=claim, gone=self._gone)
        self._rooms[object_id.uuid] = room
        self._environment.counters("rooms_opened")
        return room

    def _forget(self, room: Room) -> None:
        key = room.object_id.uuid
        self._falls.note(key, room.life.cause, self._environment.clock.monotonic())
        if self._rooms.get(key) is room:
            del self._rooms[key]
        claim = room.lane.claim
        ours = claim.worker_id == self._membership.worker_id and self._membership.holds()
        if ours and not room.life.released:
            self._orphans.add(claim)
            self._tasks.start(self._orphans.release(key), name="release")
