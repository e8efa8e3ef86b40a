"""A whole worker in memory, for tests of objects: no database, no network, time by hand.

    async with ObjectHarness({"counter": Counter}) as harness:
        alice = await harness.connect("counter", "room")
        alice.say("hello")
        await harness.settle()
        assert alice.take() == ["1"]

Everything behind it is the real engine (rooms, gates, registry); only Postgres, the clock and
the sockets are the shipped twins.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from ..core.ids import ObjectId, ObjectIds, WorkerId
from ..core.mounts import Mount
from ..core.ports import LeaseCheck
from ..room.limits import RoomLimits
from .clock import FakeClock
from .driving import Harness
from .memory import (
    MemoryAlarmQueue,
    MemoryCommitter,
    MemoryDatabase,
    MemoryObjectHistory,
    MemoryObjectStore,
    MemoryWorkerLeases,
)
from .memory_owners import MemoryObjectOwners
from .worker import WorkerBounds, WorkerPorts

__all__ = ["ObjectHarness", "WorkerBounds"]


class ObjectHarness(Harness):
    """See the module; what it can do stands in `Harness`.

    Args:
        classes: Namespace to class, or to a `Mount` made with `make_mount`.
        limits: Bounds of each room.
        bounds: Bounds of the worker.
        database: Share one between harnesses to have several workers.
        clock: The time of the worker and of a database made here; None is the database's own.
        node: Which machine the worker stands on.
    """

    committer: MemoryCommitter
    database: MemoryDatabase
    store: MemoryObjectStore

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
        if clock is None and database is not None and isinstance(database.clock, FakeClock):
            clock = database.clock
        clock = clock or FakeClock()
        worker_id = WorkerId(uuid.uuid4())
        self.database = database or MemoryDatabase(clock)
        self.store = MemoryObjectStore(self.database)
        self.committer = MemoryCommitter(self.database, worker_id)
        ports = WorkerPorts(
            store=self.store,
            history=MemoryObjectHistory(self.database),
            committer=self.committer,
            leases=MemoryWorkerLeases(self.database),
            alarms=MemoryAlarmQueue(self.database),
            owners=MemoryObjectOwners(self.database),
            ids=ObjectIds(b"a cluster key of the test harness"),
            begun=self._commit_as,
        )
        super().__init__(
            classes,
            ports=ports,
            clock=clock,
            limits=limits,
            bounds=bounds,
            node=node,
            worker_id=worker_id,
        )

    def list_rooms(self, namespace: str) -> list[ObjectId]:
        """See `Harness.list_rooms`."""
        found = [
            found.object_id
            for found in self.database.objects.values()
            if found.object_id.namespace == namespace and (found.rows or found.alarms)
        ]
        return sorted(found, key=lambda object_id: (object_id.name or "", str(object_id)))

    def alarm(self, namespace: str, name: str) -> int | None:
        """See `Harness.alarm`."""
        found = self.database.objects.get(self.object_id(namespace, name).uuid)
        row = found.alarms.get("") if found is not None else None
        return row.alarm.due_ms if row is not None else None

    def stored(self, namespace: str, name: str) -> dict[bytes, bytes]:
        """See `Harness.stored`."""
        found = self.database.objects.get(self.object_id(namespace, name).uuid)
        return dict(found.rows) if found is not None else {}

    async def _commit_as(self, worker_id: WorkerId, lease: LeaseCheck) -> None:
        del lease
        self.committer.worker_id = worker_id

    def _empty(self) -> None:
        self.database.objects.clear()
