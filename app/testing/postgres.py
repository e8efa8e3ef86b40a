"""A harness on a real Postgres, with the same fake clock: leases and alarms of the database too.

A database of its own is made on a server and dropped at the end; nothing else on that server is
touched. Time is the test's, as in memory, but commits and reads take the time they take: `settle`
waits for them.
"""

import asyncio
import threading
import uuid
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, Final, TypeVar, cast

from ..cluster.lives import CommitterOfThisLife
from ..core.history import ObjectHistory
from ..core.ids import ObjectId, WorkerId
from ..core.mounts import Mount
from ..core.owners import ObjectOwners
from ..core.ports import AlarmQueue, LeaseCheck, ObjectStore, WorkerLeases
from ..room.limits import RoomLimits
from ..store.alarms import PostgresAlarmQueue
from ..store.committer import PostgresCommitter
from ..store.database import Database
from ..store.history import PostgresObjectHistory
from ..store.leases import PostgresWorkerLeases
from ..store.owners import PostgresObjectOwners
from ..store.scratch import ScratchDatabase
from ..store.storage import PostgresObjectStore
from .clock import FakeClock
from .driving import SETTLE_TURNS, Harness, turn
from .memory_database import BASE_MS
from .traffic import CountedPort, HeldCommitter, Traffic
from .worker import WorkerBounds, WorkerPorts

ResultT = TypeVar("ResultT")

_ANSWER_SECONDS: Final = 60.0


class PostgresDatabase:
    """A database of a test's own; several harnesses on it are several workers.

    It is looked at and its clock is set from a thread of its own, so that a test needs not await
    either.

    Args:
        server_url: A server on which databases may be made.
    """

    def __init__(self, server_url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.scratch = self.ask(ScratchDatabase.make(server_url))
        self.clock = FakeClock(moved=self._set_clock)
        self._set_clock(self.clock.monotonic())

    def ask(self, question: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Run a call of `scratch` to its end."""
        return asyncio.run_coroutine_threadsafe(question, self._loop).result(_ANSWER_SECONDS)

    def empty(self) -> None:
        """Delete every object and worker, while none is live."""
        self.ask(self.scratch.empty(workers=True))

    def close(self) -> None:
        """Drop the database."""
        self.ask(self.scratch.drop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _set_clock(self, monotonic: float) -> None:
        self.ask(self.scratch.set_clock(BASE_MS + int(monotonic * 1000)))


class PostgresHarness(Harness):
    """See the module; what it can do stands in `Harness`.

    Args:
        classes: Namespace to class, or to a `Mount` made with `make_mount`.
        database: Where everything is stored.
        limits: Bounds of each room.
        bounds: Bounds of the worker.
        node: Which machine the worker stands on.
    """

    committer: HeldCommitter
    database: PostgresDatabase

    def __init__(
        self,
        classes: Mapping[str, type[Any] | Mount],
        *,
        database: PostgresDatabase,
        limits: RoomLimits | None = None,
        bounds: WorkerBounds | None = None,
        node: str = "node",
    ) -> None:
        scratch = database.scratch
        self.database = database
        self._opened = opened = Database(scratch.target, scratch.cluster, connections=4)
        self._traffic = Traffic()
        self._committers = CommitterOfThisLife(self._make_committer)
        self.committer = HeldCommitter(self._committers, self._traffic)
        self.store = cast("ObjectStore", self._counted(PostgresObjectStore(opened)))
        ports = WorkerPorts(
            store=self.store,
            history=cast("ObjectHistory", self._counted(PostgresObjectHistory(opened))),
            committer=self.committer,
            leases=cast("WorkerLeases", self._counted(PostgresWorkerLeases(opened))),
            alarms=cast("AlarmQueue", self._counted(PostgresAlarmQueue(opened))),
            owners=cast("ObjectOwners", self._counted(PostgresObjectOwners(opened))),
            ids=opened.object_ids,
            begun=self._committers.begin,
        )
        super().__init__(
            classes,
            ports=ports,
            clock=database.clock,
            limits=limits,
            bounds=bounds,
            node=node,
            worker_id=WorkerId(uuid.uuid4()),
        )

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.committer.release()
        await super().__aexit__(kind, error, trace)
        await self._committers.close()
        await self._opened.close()

    async def settle(self) -> None:
        """See `Harness.settle`; waits for the database as well."""
        turns = 0
        async with asyncio.timeout(_ANSWER_SECONDS):
            while turns < SETTLE_TURNS:
                if self._traffic.busy:
                    await self._traffic.quiet()
                    turns = 0
                await turn()
                turns += 1

    def list_rooms(self, namespace: str) -> list[ObjectId]:
        """See `Harness.list_rooms`."""
        listed = self.database.ask(self.database.scratch.listed(namespace))
        ids = [self.registry.ids.from_row(namespace, found, name) for found, name in listed]
        return sorted(ids, key=lambda object_id: (object_id.name or "", str(object_id)))

    def alarm(self, namespace: str, name: str) -> int | None:
        """See `Harness.alarm`."""
        object_id = self.object_id(namespace, name).uuid
        return self.database.ask(self.database.scratch.alarm_ms(object_id, ""))

    def stored(self, namespace: str, name: str) -> dict[bytes, bytes]:
        """See `Harness.stored`."""
        object_id = self.object_id(namespace, name).uuid
        return self.database.ask(self.database.scratch.rows(object_id))

    def _make_committer(self, worker_id: WorkerId, lease: LeaseCheck) -> PostgresCommitter:
        return PostgresCommitter(self._opened, worker_id=worker_id, lease=lease)

    def _counted(self, port: Any) -> CountedPort:
        return CountedPort(port, self._traffic)

    def _empty(self) -> None:
        self.database.ask(self.database.scratch.empty(workers=False))
