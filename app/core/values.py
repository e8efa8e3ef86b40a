"""The values that pass between the room engine and the store.

Plain, immutable, without behaviour. `NamedTuple` where one is made for every commit (a frozen
dataclass costs three times as much to build), frozen dataclasses elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import Final, NamedTuple

from .ids import CommitSeq, Epoch, ObjectId, WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmFailure:
    """How the last failed run of an alarm ended.

    Attributes:
        error_class: The class of the exception.
        error_text: Its text, cut to a bound. It is an author's, and not for logs.
        at_ms: When, milliseconds since 1970.
    """

    error_class: str
    error_text: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm of an object, as its owner last wrote it. Times are the database's.

    Attributes:
        due_ms: When it was set for, milliseconds since 1970.
        next_attempt_ms: When it is to be rung next; None when it is given up.
        counted_attempts: How many runs the author's code has failed.
        uncounted_attempts: How many runs were ended by faults that are not the author's.
        payload: What is handed to the run, in stored form.
        every_ms: The interval of an alarm that repeats.
        failure: What came of the last run, if that has failed.
    """

    due_ms: int
    next_attempt_ms: int | None
    counted_attempts: int = 0
    uncounted_attempts: int = 0
    payload: bytes | None = None
    every_ms: int | None = None
    failure: AlarmFailure | None = None


AlarmWrites = Mapping[str, Alarm | None]
"""Alarms by name, each replacing the one of that name; None deletes it."""

NO_ALARMS: Final[AlarmWrites] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class DueAlarm:
    """An alarm that was claimed in order to be rung.

    Attributes:
        object_id: Whose it is.
        name: Which of the object's alarms.
        due_ms: See `Alarm`. With `attempt_ms` it tells this very attempt from any other, so an
            owner that has gone on since knows a ring that comes too late.
        attempt_ms: The `next_attempt_ms` that has come.
    """

    object_id: ObjectId
    name: str
    due_ms: int
    attempt_ms: int


class DueAlarms(NamedTuple):
    """The answer to a claim of due alarms.

    Attributes:
        alarms: Those that are claimed now, the longest due first.
        database_ms: The database's clock: what was due then and is not here is somebody else's,
            or there is more.
        more: Whether some that are due were left out.
    """

    alarms: list[DueAlarm]
    database_ms: int
    more: bool = False


class RingOutcome(Enum):
    """What came of ringing an alarm; each is committed when it is told.

    DONE: the handler ran, and the alarm is gone or replaced. FAILED: the handler failed, and the
    next attempt is noted, or that there is none. SUPERSEDED: the object's alarm is another one
    by now, or none; nothing was run.
    """

    DONE = "done"
    FAILED = "failed"
    SUPERSEDED = "superseded"


class WriteBatch(NamedTuple):
    """Whole units of one object, to be committed together or not at all.

    Attributes:
        object_id: Whose rows.
        epoch: The epoch under which the object is held.
        expected: The commit number the object must have now; the commit sets it to one more.
        wipe: Whether every row that is not in `entries`, and every alarm that is not in
            `alarms`, is deleted.
        entries: Key to new value; None deletes the key. A key stands once.
        size_bytes: Keys and values added up.
        alarms: The alarms that change.
        restore: The commit number whose rows are to be the rows again; then nothing else is in
            the batch (see `core.history`).
    """

    object_id: ObjectId
    epoch: Epoch
    expected: CommitSeq
    wipe: bool
    entries: Mapping[bytes, bytes | None]
    size_bytes: int
    alarms: AlarmWrites = NO_ALARMS
    restore: CommitSeq | None = None


class CommitResult(Enum):
    """How a commit ended. There is no 'unknown': the committer settles that itself."""

    COMMITTED = auto()
    LOST = auto()  # the fence refused: another owner, or another commit number
    REFUSED = auto()  # the database refuses these rows, whoever sends them
    UNAVAILABLE = auto()  # the lease ended before the database answered


class CommitOutcome(NamedTuple):
    """What `BatchSource.settle` is told.

    Attributes:
        result: How it ended.
        commit_seq: The object's commit number afterwards, when COMMITTED. It may be more than
            one above the expected number, because settling an unknown outcome takes an empty
            commit of its own.
        error: The reason, when not COMMITTED.
    """

    result: CommitResult
    commit_seq: CommitSeq
    error: Exception | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One ownership of one object by one worker.

    Attributes:
        frozen: Whether the object took no changes when it was claimed.
        taken_over: Whether it was taken from an owner that had died, or lost its lease, without
            giving it up.
    """

    object_id: ObjectId
    worker_id: WorkerId
    epoch: Epoch
    commit_seq: CommitSeq
    frozen: bool = False
    taken_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Rows of one object in key order.

    Attributes:
        rows: Key and value, ascending by the bytes of the key (descending for a reverse scan).
        more: Whether rows were left out because a bound of the page was reached.
        alarmed: In the answer to a load, whether the object has alarms.
    """

    rows: list[tuple[bytes, bytes]]
    more: bool
    alarmed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRange:
    """Which keys, in which order, and how many.

    Attributes:
        start: The lowest key wanted (inclusive), or None.
        end: The lowest key no longer wanted (exclusive), or None.
        reverse: Whether the highest key comes first.
        limit: The most rows wanted, or None.
    """

    start: bytes | None = None
    end: bytes | None = None
    reverse: bool = False
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Proof that every change up to `commit_seq` of the object is committed."""

    object_id: ObjectId
    epoch: Epoch
    commit_seq: CommitSeq

    def __str__(self) -> str:
        return f"{self.object_id}/{self.epoch}/{self.commit_seq}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerIdentity:
    """Who a worker is, as its row says.

    Attributes:
        worker_id: This life of the worker; a new one after a lost lease.
        node: The machine's data directory, by a random id that lives in it.
        slot: Which of the node's workers.
        boot_id: Which boot of the machine, so that a process id or lock means something.
        address: Where other workers reach it, or empty.
        version: The software's version.
    """

    worker_id: WorkerId
    node: str
    slot: int
    boot_id: str
    address: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWorker:
    """A worker that takes rooms, as its row says.

    Attributes:
        worker_id: Under which id it claims them.
        address: Where other workers reach it.
    """

    worker_id: WorkerId
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseGrant:
    """The database's answer to a registration or renewal.

    Attributes:
        database_ms: The database's clock when it answered, milliseconds since 1970.
        draining: Whether the worker's row says that it takes no rooms.
    """

    database_ms: int
    draining: bool = False
