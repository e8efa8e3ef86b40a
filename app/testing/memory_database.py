"""What the in-memory twins share: the tables, one sequence of epochs and one clock."""

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from ..core.clock import Clock, SystemClock
from ..core.errors import StoreUnavailable
from ..core.history import NO_HISTORY, HistoryRule
from ..core.ids import CommitSeq, Epoch, ObjectId, WorkerId
from ..core.values import Alarm, KeyRange, LeaseGrant, Page, WorkerIdentity

# 2024-01-01, so that a lease test reads like the real thing whatever the clock's origin is.
BASE_MS = 1_704_067_200_000


@dataclass(slots=True)
class MemoryAlarm:
    """One row of `object_alarm`; a claim is held until an instant of the clock."""

    alarm: Alarm
    claimed_by: WorkerId | None = None
    claim_until: float = -math.inf


@dataclass(slots=True)
class MemoryPast:
    """What an object was, as `object` and `object_history` have it."""

    commits: dict[CommitSeq, tuple[int, dict[bytes, bytes | None]]] = field(default_factory=dict)
    """Commit number to when it was made (ms) and what it replaced."""
    seq: CommitSeq = CommitSeq(0)  # noqa: RUF009 - a number
    oldest: CommitSeq = CommitSeq(0)  # noqa: RUF009 - the same
    since_ms: int | None = None


@dataclass(slots=True)
class MemoryObject:
    """One row of `object`, with its rows and alarms beside it, and its deletion."""

    object_id: ObjectId
    worker_id: WorkerId | None
    epoch: Epoch
    commit_seq: CommitSeq
    rows: dict[bytes, bytes] = field(default_factory=dict)
    alarms: dict[str, MemoryAlarm] = field(default_factory=dict)
    frozen_ms: int | None = None
    deleted_ms: int | None = None
    purge_ms: int | None = None
    purging: bool = False
    created_ms: int = BASE_MS
    committed_ms: int | None = None
    tags: frozenset[str] = frozenset()
    past: MemoryPast = field(default_factory=MemoryPast)


@dataclass(slots=True)
class MemoryWorker:
    """One row of `worker`."""

    identity: WorkerIdentity
    expires_at: float
    dead: bool = False
    draining: bool = False
    started_ms: int = BASE_MS


class MemoryDatabase:
    """What several twins share: objects, workers, one sequence of epochs and one clock.

    Args:
        clock: Decides when leases run out; a fake one in tests.
        history: Which objects keep history.
    """

    def __init__(self, clock: Clock | None = None, *, history: HistoryRule = NO_HISTORY) -> None:
        self.clock = clock or SystemClock()
        self.history = history
        self._last_epoch = 0
        self.objects: dict[UUID, MemoryObject] = {}
        self.workers: dict[WorkerId, MemoryWorker] = {}
        self.log_levels: dict[str, str] = {}
        self.away = False
        """Set it to make every call raise StoreUnavailable."""

    def add_worker(self, *, lease_seconds: float = math.inf) -> WorkerId:
        """Register a worker in one call, for tests that are not about leases."""
        worker_id = WorkerId(uuid4())
        identity = WorkerIdentity(
            worker_id=worker_id,
            node=f"node-{worker_id}",
            slot=0,
            boot_id="boot",
            address="",
            version="test",
        )
        self.workers[worker_id] = MemoryWorker(identity, self.clock.monotonic() + lease_seconds)
        return worker_id

    def monotonic(self) -> float:
        """The clock that leases and claims run out by, in seconds."""
        return self.clock.monotonic()

    def now_ms(self) -> int:
        """The database's clock, milliseconds since 1970."""
        return BASE_MS + int(self.clock.monotonic() * 1000)

    def live(self, worker_id: WorkerId) -> bool:
        """Whether the worker is not dead and its lease has not run out."""
        worker = self.workers.get(worker_id)
        return worker is not None and not worker.dead and not self.expired(worker_id)

    def takes_rooms(self, worker_id: WorkerId) -> bool:
        """Whether the worker is live and not draining."""
        return self.live(worker_id) and not self.workers[worker_id].draining

    def expired(self, worker_id: WorkerId) -> bool:
        """Whether the worker's lease has run out by the clock."""
        return self.workers[worker_id].expires_at <= self.clock.monotonic()

    def grant(self, worker_id: WorkerId, lease_seconds: float) -> LeaseGrant:
        """Let the lease end `lease_seconds` from now."""
        worker = self.workers[worker_id]
        worker.expires_at = self.clock.monotonic() + lease_seconds
        return LeaseGrant(database_ms=self.now_ms(), draining=worker.draining)

    def next_epoch(self) -> Epoch:
        """The next value of the one sequence."""
        self._last_epoch += 1
        return Epoch(self._last_epoch)

    def check(self) -> None:
        """Raise StoreUnavailable while `away`."""
        if self.away:
            raise StoreUnavailable


def page_of(rows: dict[bytes, bytes], wanted: KeyRange, most_rows: int, most_bytes: int) -> Page:
    """One page of a range of rows, at least one row if there is one."""
    keys = sorted(rows)
    low = bisect_left(keys, wanted.start) if wanted.start is not None else 0
    high = bisect_left(keys, wanted.end) if wanted.end is not None else len(keys)
    chosen = keys[low:high]
    if wanted.reverse:
        chosen.reverse()
    if wanted.limit is not None:
        del chosen[wanted.limit :]
    page: list[tuple[bytes, bytes]] = []
    size = 0
    for key in chosen:
        size += len(key) + len(rows[key])
        if len(page) == most_rows or (page and size > most_bytes):
            break
        page.append((key, rows[key]))
    return Page(rows=page, more=len(page) < len(chosen))
