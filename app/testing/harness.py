"""A whole worker in memory, for tests of objects: no database, no network, time by hand.

    async with ObjectHarness({"counter": Counter}) as harness:
        alice = await harness.connect("counter", "room")
        alice.say("hello")
        await harness.settle()
        assert alice.take() == ["1"]

Everything behind it is the real engine (rooms, gates, registry); only Postgres, the clock and
the sockets are the shipped twins.
"""

import asyncio
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from ..cluster.alarms import AlarmScheduler
from ..cluster.calls import Calls
from ..cluster.finder import OwnerFinder
from ..cluster.membership import Membership
from ..cluster.namespaces import Namespaces, make_mount
from ..cluster.registry import RoomRegistry
from ..cluster.ringing import AlarmRinger
from ..cluster.stubs import OutsideStubs
from ..core.clock import DatabaseClock
from ..core.errors import StateroomError
from ..core.ids import ObjectId, ObjectIds, WorkerId
from ..core.mounts import Mount
from ..core.ports import LeaseCheck
from ..core.storage_codec import decode_value
from ..core.tasks import TaskOwner
from ..core.values import CommitResult, WorkerIdentity
from ..room.environment import RoomEnvironment
from ..room.limits import RoomLimits
from ..room.room import Room
from ..sdk.messages import Request, Response
from ..sdk.namespace import Stub
from .clock import FakeClock
from .memory import (
    MemoryAlarmQueue,
    MemoryCommitter,
    MemoryDatabase,
    MemoryObjectStore,
    MemoryWorkerLeases,
)
from .sockets import MemorySocket
from .workshop import InlineWorkshop

_LEASE_SECONDS = 3.0
_PATIENCE_SECONDS = 4.0
_SETTLE_TURNS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerBounds:
    """What a worker may do, as its settings say: see `RoomRegistry`."""

    evict_seconds: float = 60.0
    max_rooms: int = 10_000


class ObjectHarness:
    """See the module.

    Args:
        classes: Namespace to class, or to a `Mount` made with `make_mount`.
        limits: Bounds of each room.
        bounds: Bounds of the worker.
        database: Share one between harnesses to have several workers, and the clock with it.
        clock: The time of the worker and of a database made here.
        node: Which machine the worker stands on.
    """

    def __init__(
        self,
        classes: Mapping[str, type[Any] | Mount],
        *,
        limits: RoomLimits | None = None,
        bounds: WorkerBounds | None = None,
        database: MemoryDatabase | None = None,
        clock: FakeClock | None = None,
        node: str = "node",
    ) -> None:
        self.clock = clock or FakeClock()
        self.database = database or MemoryDatabase(self.clock)
        self.database_clock = DatabaseClock(self.clock)
        self.store = MemoryObjectStore(self.database)
        self.worker_id = WorkerId(uuid.uuid4())
        self.committer = MemoryCommitter(self.database, self.worker_id)
        self.counted: Counter[str] = Counter()
        """How often each countable thing happened: `rooms_opened`, `object_faults`, ..."""
        self._tasks = TaskOwner("rooms")
        self._sweeper = TaskOwner("sweeper")
        self._connection_number = 0
        self.membership = self._make_membership(node)
        self.registry = self._make_registry(
            {
                name: cls if isinstance(cls, Mount) else make_mount(name, cls, {})
                for name, cls in classes.items()
            },
            limits or RoomLimits(),
            bounds or WorkerBounds(),
        )
        finder = OwnerFinder(self.registry, clock=self.clock, patience_seconds=0.0)
        self.ringer = AlarmRinger(self.registry, finder)
        self.alarms = AlarmScheduler(
            queue=MemoryAlarmQueue(self.database),
            ring=self.ringer.ring,
            membership=self.membership,
            clock=self.clock,
            database_clock=self.database_clock,
        )
        finder = OwnerFinder(self.registry, clock=self.clock, patience_seconds=_PATIENCE_SECONDS)
        self.calls = Calls(self.registry, finder, clock=self.clock)
        self.stubs = OutsideStubs(self.calls)

    def _make_membership(self, node: str) -> Membership:
        return Membership(
            leases=MemoryWorkerLeases(self.database),
            clock=self.clock,
            database_clock=self.database_clock,
            identity=WorkerIdentity(
                worker_id=self.worker_id, node=node, slot=0, boot_id="boot", address="", version="0"
            ),
            lease_seconds=_LEASE_SECONDS,
            renew_seconds=_LEASE_SECONDS / 3,
            begun=self._begun,
            lost=self._lost,
        )

    def _make_registry(
        self, mounts: Mapping[str, Mount], limits: RoomLimits, bounds: WorkerBounds
    ) -> RoomRegistry:
        return RoomRegistry(
            ids=ObjectIds(b"a cluster key of the test harness"),
            namespaces=Namespaces(mounts),
            environment=RoomEnvironment(
                store=self.store,
                committer=self.committer,
                lease=self.membership,
                clock=self.clock,
                database_clock=self.database_clock,
                tasks=self._tasks,
                limits=limits,
                workshop=InlineWorkshop(),
                counters=self._count,
                alarm_set=self._alarm_set,
            ),
            membership=self.membership,
            evict_seconds=bounds.evict_seconds,
            max_rooms=bounds.max_rooms,
        )

    async def __aenter__(self) -> Self:
        await self.membership.start()
        self.alarms.start()
        self._sweeper.start(self.registry.sweep(every_seconds=1.0), name="sweep")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._sweeper.close()
        await self.alarms.close()
        await self.calls.close()
        await self.registry.close()
        await self.membership.close()
        await self._tasks.close()

    async def _begun(self, worker_id: WorkerId, lease: LeaseCheck) -> None:
        """Another life of the worker: its commits prove the new id."""
        del lease
        self.worker_id = worker_id
        self.committer.worker_id = worker_id

    def _count(self, name: str) -> None:
        self.counted[name] += 1

    def _alarm_set(self, attempt_ms: int) -> None:
        self.alarms.expect(attempt_ms)

    def _lost(self, error: StateroomError) -> None:
        self.registry.abort_all(error)

    def object_id(self, namespace: str, name: str) -> ObjectId:
        """The id of an object."""
        return self.registry.ids.from_name(namespace, name)

    def stub(self, namespace: str, name: str) -> Stub:
        """A stub of an object, as other objects have it; its calls leave when they are made."""
        return self.stubs.stub(namespace, name)

    async def room(self, namespace: str, name: str) -> Room:
        """The live room of an object, started if it was not."""
        return await self.registry.room(self.object_id(namespace, name))

    def live_room(self, namespace: str, name: str) -> Room | None:
        """The live room of an object, if it is in memory; nothing is started."""
        key = self.object_id(namespace, name).uuid
        return next((room for room in self.registry.rooms if room.object_id.uuid == key), None)

    async def connect(
        self, namespace: str, name: str, *, request: Request | None = None
    ) -> MemorySocket:
        """Open a socket to an object."""
        self._connection_number += 1
        socket = MemorySocket()
        sink = await self.registry.connect(
            self.object_id(namespace, name),
            request or Request(),
            socket,
            f"connection-{self._connection_number}",
        )
        socket.attach(sink)
        await self.settle()
        return socket

    async def request(self, namespace: str, name: str, request: Request) -> Response:
        """Send an HTTP request to an object."""
        room = await self.room(namespace, name)
        response, _ = await room.request(request)
        return response

    async def settle(self) -> None:
        """Let everything that can run now run: events, commits, deliveries. No time passes."""
        for _ in range(_SETTLE_TURNS):
            await _turn()

    async def advance(self, seconds: float) -> None:
        """Let time pass in steps of at most half a second.

        So leases are renewed, and alarms rung, as they fall due.
        """
        left = seconds
        while left > 0:
            step = min(0.5, left)
            self.clock.advance(step)
            left -= step
            await self.settle()

    def fail_next_commit(self) -> None:
        """Let the next commit fail, as when another worker has taken the object over."""
        self.committer.fail_next(CommitResult.LOST)

    async def rest(self, namespace: str, name: str) -> None:
        """Let an object rest, as it does when it is idle: the instance goes, its sockets stay.

        Raises:
            RuntimeError: It still has something to do: an event, a timer, a commit.
        """
        room = await self.room(namespace, name)
        await self.settle()
        await room.hibernate()
        if room.awake:
            raise RuntimeError("the object is not idle")

    def contents(self, namespace: str, name: str) -> dict[str, Any]:
        """What an object has committed, key by key in byte order."""
        rows = sorted(self.stored(namespace, name).items())
        return {key.decode(): decode_value(value) for key, value in rows}

    def alarm(self, namespace: str, name: str) -> int | None:
        """When an object's alarm is set for, as committed, in milliseconds since 1970."""
        found = self.database.objects.get(self.object_id(namespace, name).uuid)
        row = found.alarms.get("") if found is not None else None
        return row.alarm.due_ms if row is not None else None

    def stored(self, namespace: str, name: str) -> dict[bytes, bytes]:
        """The committed rows of an object as bytes."""
        found = self.database.objects.get(self.object_id(namespace, name).uuid)
        return dict(found.rows) if found is not None else {}


def _mount(name: str, cls: type[Any] | Mount) -> Mount:
    return cls if isinstance(cls, Mount) else make_mount(name, cls, {})


async def _turn() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, None)
    await future
