"""The in-memory twins of the store: the same promises as Postgres, none of the waiting.

One `MemoryDatabase` stands for the database; any number of stores, committers and lease clients
share it, as workers share Postgres. The contract suite (tests/contract) runs on these classes
and on the Postgres ones, so a test of your own object that passes here means something.

What is different on purpose: nothing is ever locked or away by itself. A test holds the
committer (`hold`), looks at what is in flight and settles it by hand, or makes the next commit
fail; see `MemoryCommitter`.
"""

import asyncio
from collections import deque
from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

from ..core.errors import (
    BookmarkExpired,
    LeaseLost,
    ObjectDeleted,
    OwnedElsewhere,
    OwnershipLost,
    StateroomError,
    StorageRefused,
    StoreUnavailable,
    WorkerLeaving,
)
from ..core.ids import CommitSeq, ObjectId, WorkerId
from ..core.limits import PAGE_BYTES, PAGE_ROWS
from ..core.ports import BatchSource
from ..core.storage_codec import EXPIRING, expiry_ms
from ..core.values import (
    Alarm,
    Claim,
    CommitOutcome,
    CommitResult,
    KeyRange,
    Page,
    WriteBatch,
)
from .memory_alarms import MemoryAlarmQueue
from .memory_database import MemoryAlarm, MemoryDatabase, MemoryObject, page_of
from .memory_history import (
    MemoryHistoryPruner,
    MemoryObjectHistory,
    keep,
    oldest_of,
    replaced,
    state_after,
)
from .memory_object_states import MemoryObjectStates
from .memory_workers import MemoryWorkerLeases, MemoryWorkerList

__all__ = [
    "MemoryAlarmQueue",
    "MemoryCommitter",
    "MemoryDatabase",
    "MemoryHistoryPruner",
    "MemoryObjectHistory",
    "MemoryObjectStates",
    "MemoryObjectStore",
    "MemoryWorkerLeases",
    "MemoryWorkerList",
]

# Postgres refuses an index entry over 2,704 bytes; what is left of it for a key.
_KEY_ENTRY_BYTES = 2_676


class MemoryObjectStore:
    """Twin of `app.store.storage.PostgresObjectStore`; see `core.ports.ObjectStore`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def claim(self, object_id: ObjectId, worker_id: WorkerId) -> Claim:
        """See `ObjectStore.claim`."""
        database = self._database
        database.check()
        if not database.takes_rooms(worker_id):
            raise WorkerLeaving if database.live(worker_id) else LeaseLost
        found = database.objects.get(object_id.uuid)
        if found is not None and found.deleted_ms is not None:
            raise ObjectDeleted
        taken_over = found is not None and found.worker_id not in (None, worker_id)
        if found is None:
            found = MemoryObject(
                object_id=object_id,
                worker_id=worker_id,
                epoch=database.next_epoch(),
                commit_seq=CommitSeq(0),
                created_ms=database.now_ms(),
            )
            database.objects[object_id.uuid] = found
        else:
            self._take_over(found, worker_id)
            if found.object_id.name is None:
                found.object_id = object_id
        return Claim(
            object_id=object_id,
            worker_id=worker_id,
            epoch=found.epoch,
            commit_seq=found.commit_seq,
            frozen=found.frozen_ms is not None,
            taken_over=taken_over,
        )

    async def load(self, claim: Claim, *, rows: int, size_bytes: int) -> Page:
        """See `ObjectStore.load`."""
        self._database.check()
        found = self._database.objects.get(claim.object_id.uuid)
        if found is None or (found.epoch, found.commit_seq) != (claim.epoch, claim.commit_seq):
            raise OwnershipLost
        page = page_of(found.rows, KeyRange(), rows, size_bytes)
        return replace(page, alarmed=bool(found.alarms))

    async def read(self, object_id: ObjectId, keys: Collection[bytes]) -> dict[bytes, bytes]:
        """See `ObjectStore.read`."""
        self._database.check()
        found = self._database.objects.get(object_id.uuid)
        rows = found.rows if found else {}
        return {key: rows[key] for key in keys if key in rows}

    async def scan(self, object_id: ObjectId, wanted: KeyRange) -> Page:
        """See `ObjectStore.scan`."""
        self._database.check()
        found = self._database.objects.get(object_id.uuid)
        return page_of(found.rows if found else {}, wanted, PAGE_ROWS, PAGE_BYTES)

    async def expiring(self, object_id: ObjectId, *, limit: int) -> list[tuple[bytes, int]]:
        """See `ObjectStore.expiring`."""
        self._database.check()
        found = self._database.objects.get(object_id.uuid)
        rows = found.rows.items() if found else ()
        times = [(key, expiry_ms(value)) for key, value in rows if value[:1] == bytes((EXPIRING,))]
        return sorted(times, key=lambda each: (each[1], each[0]))[:limit]

    async def alarm(self, object_id: ObjectId, name: str) -> Alarm | None:
        """See `ObjectStore.alarm`."""
        self._database.check()
        found = self._database.objects.get(object_id.uuid)
        row = found.alarms.get(name) if found else None
        return row.alarm if row else None

    async def alarms(self, object_id: ObjectId) -> dict[str, Alarm]:
        """See `ObjectStore.alarms`."""
        self._database.check()
        found = self._database.objects.get(object_id.uuid)
        return {name: row.alarm for name, row in found.alarms.items()} if found else {}

    async def release(self, claim: Claim) -> None:
        """See `ObjectStore.release`."""
        self._database.check()
        found = self._database.objects.get(claim.object_id.uuid)
        if found is None or (found.epoch, found.worker_id) != (claim.epoch, claim.worker_id):
            return
        stored = found.rows or found.alarms or found.past.commits
        if stored or found.frozen_ms is not None:
            found.worker_id = None
        else:
            del self._database.objects[claim.object_id.uuid]

    async def disown(self, object_id: ObjectId, worker_id: WorkerId) -> None:
        """See `ObjectStore.disown`."""
        self._database.check()
        found = self._database.objects.get(object_id.uuid)
        if found is not None and found.worker_id == worker_id:
            await self.release(
                Claim(
                    object_id=object_id,
                    worker_id=worker_id,
                    epoch=found.epoch,
                    commit_seq=found.commit_seq,
                )
            )

    def _take_over(self, found: MemoryObject, worker_id: WorkerId) -> None:
        holder = self._database.workers.get(found.worker_id) if found.worker_id else None
        if holder is not None and found.worker_id is not None and found.worker_id != worker_id:
            if self._database.live(found.worker_id):
                raise OwnedElsewhere(worker_id=found.worker_id, address=holder.identity.address)
            holder.dead = True
        found.worker_id = worker_id
        found.epoch = self._database.next_epoch()


class _Flight(NamedTuple):
    source: BatchSource
    batch: WriteBatch


class MemoryCommitter:
    """Twin of `app.store.committer.PostgresCommitter`; see `core.ports.Committer`.

    By itself it takes what was enqueued on the next turn of the event loop and settles it on
    the one after. A test that wants the moments between calls `hold` first and then drives it:

        committer.hold()
        ...                            # the object under test writes
        committer.take()               # its batch is frozen and in flight, nothing is applied
        committer.settle()             # applied if the fence allows, and told so

    Args:
        database: Where the commits go.
        worker_id: The worker whose rooms commit here; part of the fence.
    """

    def __init__(self, database: MemoryDatabase, worker_id: WorkerId) -> None:
        self._database = database
        self.worker_id = worker_id
        self._waiting: dict[BatchSource, None] = {}
        self._in_flight: list[_Flight] = []
        self._again: set[BatchSource] = set()
        self._faults: deque[tuple[CommitResult, Exception | None]] = deque()
        self._held = False
        self._scheduled = False
        self.committed: list[WriteBatch] = []
        """Every batch that was applied, in order."""

    def enqueue(self, source: BatchSource) -> None:
        """See `Committer.enqueue`."""
        if any(flight.source is source for flight in self._in_flight):
            self._again.add(source)
            return
        self._waiting[source] = None
        self._schedule()

    @property
    def in_flight(self) -> list[WriteBatch]:
        """The batches that are taken and not settled."""
        return [flight.batch for flight in self._in_flight]

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting and nothing is in flight."""
        return not self._waiting and not self._in_flight

    def hold(self) -> None:
        """From now on nothing is taken or settled but by `take` and `settle`."""
        self._held = True

    def release(self) -> None:
        """Go on by itself."""
        self._held = False
        self._schedule()

    def fail_next(
        self, result: CommitResult, *, error: Exception | None = None, batches: int = 1
    ) -> None:
        """Let the next `batches` batches end with `result`, their rows not applied."""
        self._faults.extend([(result, error)] * batches)

    def take(self) -> list[WriteBatch]:
        """Take the batch of every source that waits; they are in flight afterwards."""
        waiting, self._waiting = self._waiting, {}
        for source in waiting:
            batch = source.take_batch()
            if batch is not None:
                self._in_flight.append(_Flight(source, batch))
        return self.in_flight

    def settle(self) -> None:
        """Apply what is in flight, as far as fence and faults allow, and tell the sources."""
        flights, self._in_flight = self._in_flight, []
        again, self._again = self._again, set()
        for source, batch in flights:
            outcome = self._outcome(batch)
            if source in again:
                self._waiting[source] = None
            source.settle(outcome)
        self._schedule()

    def commit_batch(self, batch: WriteBatch) -> CommitOutcome:
        """Commit one batch at once, if the fence allows, for somebody who is no source."""
        return self._outcome(batch)

    def commit_now(self) -> None:
        """Take and settle at once."""
        self.take()
        self.settle()

    def _schedule(self) -> None:
        if self._held or self._scheduled or self.idle:
            return
        self._scheduled = True
        asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        if self._held:
            return
        if self._in_flight:
            self.settle()
        else:
            self.take()
        self._schedule()

    def _outcome(self, batch: WriteBatch) -> CommitOutcome:
        if self._faults:
            result, error = self._faults.popleft()
            if result is not CommitResult.COMMITTED:
                return CommitOutcome(result, batch.expected, error or reason_of(result))
        if self._database.away:
            return _failed(CommitResult.UNAVAILABLE, batch)
        found = self._database.objects.get(batch.object_id.uuid)
        if found is None or (found.worker_id, found.epoch, found.commit_seq) != (
            self.worker_id,
            batch.epoch,
            batch.expected,
        ):
            return _failed(CommitResult.LOST, batch)
        if any(len(key) > _KEY_ENTRY_BYTES for key in batch.entries):
            return _failed(CommitResult.REFUSED, batch)
        if batch.restore is not None and batch.restore < oldest_of(found):
            return CommitOutcome(CommitResult.REFUSED, batch.expected, BookmarkExpired())
        self._apply(found, batch)
        return CommitOutcome(CommitResult.COMMITTED, found.commit_seq)

    def _apply(self, found: MemoryObject, batch: WriteBatch) -> None:
        now = self._database.now_ms()
        old = replaced(found, batch)
        if batch.restore is not None:
            found.rows = state_after(found, batch.restore)
        keep(found, old, self._database.history, now)
        if batch.wipe:
            found.rows.clear()
            found.alarms.clear()
        for key, value in batch.entries.items():
            if value is None:
                found.rows.pop(key, None)
            else:
                found.rows[key] = value
        for name, alarm in batch.alarms.items():
            if alarm is None:
                found.alarms.pop(name, None)
            else:
                found.alarms[name] = MemoryAlarm(alarm)
        found.commit_seq = CommitSeq(found.commit_seq + 1)
        found.committed_ms = now
        self.committed.append(batch)


def _failed(result: CommitResult, batch: WriteBatch) -> CommitOutcome:
    return CommitOutcome(result, batch.expected, reason_of(result))


def reason_of(result: CommitResult) -> StateroomError:
    """The error of a commit that ended like that."""
    match result:
        case CommitResult.LOST:
            return OwnershipLost()
        case CommitResult.REFUSED:
            return StorageRefused()
        case _:
            return StoreUnavailable()
