"""The in-memory twins of the rows of workers; see `memory` for the others."""

from math import isinf

from ..core.errors import LeaseLost, WorkerSlotTaken
from ..core.ids import WorkerId
from ..core.values import LeaseGrant, LiveWorker, WorkerIdentity
from ..core.worker_rows import WorkerRow, WorkerState
from .memory_database import BASE_MS, MemoryDatabase, MemoryWorker


class MemoryWorkerLeases:
    """Twin of `app.store.leases.PostgresWorkerLeases`; see `core.ports.WorkerLeases`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def register(self, identity: WorkerIdentity, *, lease_seconds: float) -> LeaseGrant:
        """See `WorkerLeases.register`."""
        database = self._database
        database.check()
        for worker_id, worker in database.workers.items():
            at_slot = (worker.identity.node, worker.identity.slot) == (identity.node, identity.slot)
            if worker.dead or not at_slot:
                continue
            if not database.live(worker_id):
                worker.dead = True
            elif worker_id == identity.worker_id:
                return database.grant(worker_id, lease_seconds)
            else:
                raise WorkerSlotTaken
        if identity.worker_id in database.workers:
            raise LeaseLost
        database.workers[identity.worker_id] = MemoryWorker(
            identity, 0, started_ms=database.now_ms()
        )
        return database.grant(identity.worker_id, lease_seconds)

    async def renew(self, worker_id: WorkerId, *, lease_seconds: float) -> LeaseGrant | None:
        """See `WorkerLeases.renew`."""
        self._database.check()
        if not self._database.live(worker_id):
            return None
        return self._database.grant(worker_id, lease_seconds)

    async def set_draining(self, worker_id: WorkerId, *, draining: bool) -> bool:
        """See `WorkerLeases.set_draining`."""
        self._database.check()
        if not self._database.live(worker_id):
            return False
        self._database.workers[worker_id].draining = draining
        return True

    async def retire(self, worker_id: WorkerId) -> None:
        """See `WorkerLeases.retire`."""
        self._database.check()
        if worker_id in self._database.workers:
            self._database.workers[worker_id].dead = True

    async def bury(self, *, node: str, slot: int, boot_id: str) -> int:
        """See `WorkerLeases.bury`."""
        self._database.check()
        buried = 0
        for worker in self._database.workers.values():
            identity = worker.identity
            if (identity.node, identity.slot, identity.boot_id) == (node, slot, boot_id):
                buried += not worker.dead
                worker.dead = True
        return buried


class MemoryWorkerList:
    """Twin of `app.store.workers.PostgresWorkerList`; see `WorkerList` and `WorkerRows`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def live(self) -> list[LiveWorker]:
        """See `WorkerList.live`."""
        self._database.check()
        return [
            LiveWorker(worker_id=worker_id, address=worker.identity.address)
            for worker_id, worker in self._database.workers.items()
            if self._database.takes_rooms(worker_id)
        ]

    async def rows(self) -> list[WorkerRow]:
        """See `WorkerRows.rows`."""
        self._database.check()
        return [self._row(worker_id) for worker_id in self._database.workers]

    async def row(self, worker_id: WorkerId) -> WorkerRow | None:
        """See `WorkerRows.row`."""
        self._database.check()
        return self._row(worker_id) if worker_id in self._database.workers else None

    def _row(self, worker_id: WorkerId) -> WorkerRow:
        database = self._database
        worker = database.workers[worker_id]
        state = WorkerState.DRAINING if worker.draining else WorkerState.LIVE
        ends_ms = 0.0 if isinf(worker.expires_at) else worker.expires_at * 1000
        return WorkerRow(
            identity=worker.identity,
            state=state if database.live(worker_id) else WorkerState.DEAD,
            started_ms=worker.started_ms,
            lease_ms=BASE_MS + int(ends_ms),
        )
