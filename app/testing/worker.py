"""The worker of a harness: the real engine, put together on the twins or on a real database.

What a test does with it is in `driving`; what it stands on is said by `WorkerPorts`.
"""

import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from ..cluster.alarms import AlarmScheduler
from ..cluster.calls import Calls
from ..cluster.finder import OwnerFinder
from ..cluster.membership import Membership
from ..cluster.namespaces import Namespaces, make_mount
from ..cluster.registry import RoomRegistry
from ..cluster.ringing import AlarmRinger
from ..cluster.steering import Steering
from ..cluster.stubs import OutsideStubs
from ..core.clock import DatabaseClock
from ..core.errors import StateroomError
from ..core.history import ObjectHistory
from ..core.ids import ObjectIds, WorkerId
from ..core.mounts import Mount
from ..core.owners import ObjectOwners
from ..core.ports import AlarmQueue, Committer, LeaseCheck, ObjectStore, WorkerLeases
from ..core.tasks import TaskOwner
from ..core.values import CommitResult, WorkerIdentity
from ..room.environment import RoomEnvironment
from ..room.limits import RoomLimits
from .clock import FakeClock
from .logs import log_plainly
from .workshop import InlineWorkshop

_LEASE_SECONDS = 3.0
_PATIENCE_SECONDS = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerBounds:
    """What a worker may do, as its settings say: see `RoomRegistry`."""

    evict_seconds: float = 60.0
    max_rooms: int = 10_000


class DrivenCommitter(Committer, Protocol):
    """A committer that a test can hold back and make fail."""

    def hold(self) -> None:
        """From now on nothing is committed, until `release`."""
        ...

    def release(self) -> None:
        """Go on by itself."""
        ...

    def fail_next(
        self, result: CommitResult, *, error: Exception | None = None, batches: int = 1
    ) -> None:
        """Let the next `batches` batches end with `result`, their rows not applied."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPorts:
    """What a worker stands on.

    Attributes:
        begun: Told of each life of the worker, before it claims anything.
    """

    store: ObjectStore
    history: ObjectHistory
    committer: DrivenCommitter
    leases: WorkerLeases
    alarms: AlarmQueue
    owners: ObjectOwners
    ids: ObjectIds
    begun: Callable[[WorkerId, LeaseCheck], Awaitable[None]]


class HarnessWorker:
    """See the module. It lives from `__aenter__` to `__aexit__`.

    Args:
        classes: Namespace to class, or to a `Mount` made with `make_mount`.
        ports: What it stands on.
        clock: Its time.
        limits: Bounds of each room.
        bounds: Bounds of the worker.
        node: Which machine it stands on.
        worker_id: Its first life.
    """

    def __init__(
        self,
        classes: Mapping[str, type[Any] | Mount],
        *,
        ports: WorkerPorts,
        clock: FakeClock,
        limits: RoomLimits | None,
        bounds: WorkerBounds | None,
        node: str,
        worker_id: WorkerId | None = None,
    ) -> None:
        log_plainly()
        self.clock = clock
        self.database_clock = DatabaseClock(clock)
        self.worker_id = worker_id or WorkerId(uuid.uuid4())
        self.counted: Counter[str] = Counter()
        """How often each countable thing happened: `rooms_opened`, `object_faults`, ..."""
        self._ports = ports
        self._tasks = TaskOwner("rooms")
        self._sweeper = TaskOwner("sweeper")
        self.membership = self._make_membership(node)
        self.registry = self._make_registry(
            {name: _mount(name, cls) for name, cls in classes.items()},
            limits or RoomLimits(),
            bounds or WorkerBounds(),
        )
        finder = OwnerFinder(self.registry, clock=clock, patience_seconds=0.0)
        self.ringer = AlarmRinger(self.registry, finder)
        self.alarms = AlarmScheduler(
            queue=ports.alarms,
            ring=self.ringer.ring,
            membership=self.membership,
            clock=clock,
            database_clock=self.database_clock,
        )
        self.finder = OwnerFinder(self.registry, clock=clock, patience_seconds=_PATIENCE_SECONDS)
        self.calls = Calls(self.registry, self.finder, clock=clock)
        self.stubs = OutsideStubs(self.calls)
        self.steering = Steering(self.registry, self.finder, ports.owners)

    def _make_membership(self, node: str) -> Membership:
        return Membership(
            leases=self._ports.leases,
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
            ids=self._ports.ids,
            namespaces=Namespaces(mounts),
            environment=RoomEnvironment(
                store=self._ports.store,
                history=self._ports.history,
                committer=self._ports.committer,
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
        self.worker_id = worker_id
        await self._ports.begun(worker_id, lease)

    def _count(self, name: str, /, *_labels: str) -> None:
        self.counted[name] += 1

    def _alarm_set(self, attempt_ms: int) -> None:
        self.alarms.expect(attempt_ms)

    def _lost(self, error: StateroomError) -> None:
        self.registry.abort_all(error)


def _mount(name: str, cls: type[Any] | Mount) -> Mount:
    return cls if isinstance(cls, Mount) else make_mount(name, cls, {})
