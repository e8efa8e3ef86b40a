"""Whole workers in one process: real rooms and links, memory in place of Postgres."""

import uuid
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from app.cluster.calls import Calls
from app.cluster.finder import OwnerFinder
from app.cluster.link_handshake import link_key
from app.cluster.link_service import LinkService
from app.cluster.links import Links
from app.cluster.locator import Locator
from app.cluster.membership import Membership
from app.cluster.moving import Mover
from app.cluster.namespaces import Namespaces, make_mount
from app.cluster.object_life import ObjectLife
from app.cluster.peers import Peers
from app.cluster.registry import RoomRegistry
from app.cluster.steering import Steering
from app.cluster.stubs import OutsideStubs
from app.cluster.worker_steering import WorkerSteering
from app.core.clock import DatabaseClock, SystemClock
from app.core.errors import StateroomError
from app.core.ids import ObjectId, ObjectIds, WorkerId
from app.core.ports import LeaseCheck
from app.core.tasks import TaskOwner
from app.core.values import WorkerIdentity
from app.room.environment import RoomEnvironment
from app.room.limits import RoomLimits
from app.sdk import Request
from app.testing.memory import (
    MemoryCommitter,
    MemoryDatabase,
    MemoryObjectHistory,
    MemoryObjectStates,
    MemoryObjectStore,
    MemoryWorkerLeases,
    MemoryWorkerList,
)
from app.testing.memory_owners import MemoryObjectOwners
from app.testing.sockets import MemorySocket

CLUSTER_KEY = b"the key of a cluster in one process"
LONG_LEASE_SECONDS = 20.0  # a busy machine may hold a process up for seconds
SHORT_LEASE_SECONDS = 3.0  # for tests that wait for its end


class Worker:
    """One worker on a shared database; `async with` starts it, `kill` ends it like SIGKILL."""

    def __init__(
        self,
        database: MemoryDatabase,
        classes: Mapping[str, type[Any]],
        *,
        limits: RoomLimits | None = None,
        patience_seconds: float = 5.0,
        silence_seconds: float = 3.0,
        lease_seconds: float = LONG_LEASE_SECONDS,
    ) -> None:
        self.clock = SystemClock()
        self._silence = silence_seconds
        self._lease_seconds = lease_seconds
        self.database = database
        self._stack = AsyncExitStack()
        self._connections = 0
        self._tasks = TaskOwner("rooms")
        self.worker_id = WorkerId(uuid.uuid4())
        self.committer = MemoryCommitter(database, self.worker_id)
        self._identity = WorkerIdentity(
            worker_id=self.worker_id,
            node=f"node-{self.worker_id}",
            slot=0,
            boot_id="boot",
            address="",
            version="0",
        )
        self._classes = classes
        self._limits = limits or RoomLimits()
        self._patience = patience_seconds
        self.links: Links
        self.membership: Membership
        self.registry: RoomRegistry
        self.finder: OwnerFinder
        self.locator: Locator
        self.mover: Mover
        self.calls: Calls
        self.stubs: OutsideStubs
        self.steering: Steering
        self.life: ObjectLife
        self.workers: WorkerSteering
        self.service: LinkService

    async def __aenter__(self) -> Self:
        database_clock = DatabaseClock(self.clock)
        ids = ObjectIds(CLUSTER_KEY)
        mounts = {name: make_mount(name, cls, {}) for name, cls in self._classes.items()}

        async def begun(worker_id: WorkerId, lease: LeaseCheck) -> None:
            del lease
            self.committer.worker_id = worker_id

        def lost(error: StateroomError) -> None:
            self.registry.abort_all(error)

        self.links = Links(
            key=link_key(CLUSTER_KEY),
            worker_id=lambda: self.membership.worker_id,
            clock=self.clock,
            silence_seconds=self._silence,
        )
        host, port = await self.links.listen("127.0.0.1", 0)
        self.membership = Membership(
            leases=MemoryWorkerLeases(self.database),
            clock=self.clock,
            database_clock=database_clock,
            identity=replace(self._identity, address=f"{host}:{port}"),
            lease_seconds=self._lease_seconds,
            renew_seconds=min(self._lease_seconds / 4, 1.0),
            begun=begun,
            lost=lost,
        )
        self.registry = RoomRegistry(
            ids=ids,
            namespaces=Namespaces(mounts),
            environment=RoomEnvironment(
                store=MemoryObjectStore(self.database),
                history=MemoryObjectHistory(self.database),
                committer=self.committer,
                lease=self.membership,
                clock=self.clock,
                database_clock=database_clock,
                tasks=self._tasks,
                limits=self._limits,
            ),
            membership=self.membership,
            evict_seconds=60.0,
            max_rooms=10_000,
        )
        self.service = LinkService(self.registry)
        self._join_others()
        self.links.serve(self.service)
        await self.membership.start()
        return self

    def _join_others(self) -> None:
        finder = self.finder = OwnerFinder(
            self.registry, clock=self.clock, patience_seconds=self._patience
        )
        workers = MemoryWorkerList(self.database)
        peers = Peers(workers, clock=self.clock, own_id=lambda: self.membership.worker_id)
        finder.use(self.links, peers)
        self.locator = Locator(self.registry, finder)
        self.calls = Calls(self.registry, finder, clock=self.clock)
        self.calls.serve(self.service)
        self.stubs = OutsideStubs(self.calls)
        self.mover = Mover(
            registry=self.registry,
            membership=self.membership,
            leases=MemoryWorkerLeases(self.database),
            peers=peers,
            links=self.links,
            finder=finder,
            clock=self.clock,
        )
        self.mover.serve(self.service)
        self.steering = Steering(self.registry, finder, MemoryObjectOwners(self.database))
        self.steering.serve(self.service)
        self.workers = WorkerSteering(
            registry=self.registry,
            mover=self.mover,
            rows=workers,
            links=self.links,
            own_id=lambda: self.membership.worker_id,
        )
        self.workers.serve(self.service)
        self.life = ObjectLife(
            registry=self.registry,
            finder=finder,
            mover=self.mover,
            states=MemoryObjectStates(self.database),
            holder=self.workers.link_to,
        )
        self.life.serve(self.service)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.kill()

    async def kill(self) -> None:
        """End without a word to the database or the other workers."""
        await self.mover.close()
        await self.links.close()
        await self.service.close()
        await self.calls.close()
        await self.registry.close()
        await self._tasks.close()
        await self.membership._tasks.close()

    def object_id(self, namespace: str, name: str) -> ObjectId:
        return self.registry.ids.from_name(namespace, name)

    async def connect(self, namespace: str, name: str) -> MemorySocket:
        self._connections += 1
        socket = MemorySocket()
        sink = await self.locator.connect(
            self.object_id(namespace, name),
            Request(path="/somewhere"),
            socket,
            f"{self.worker_id}-{self._connections}",
        )
        socket.attach(sink)
        return socket
