"""The commit lane of one room: from finished units to confirmed batches to open gates.

It joins four pure parts (buffer, cache, gate, batch numbers) and is the room's face to the
committer. At most one batch is in flight; what finishes meanwhile goes into the next. A batch
that does not end well breaks the gate for ever and the room with it.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from ..core.clock import Clock
from ..core.errors import (
    LeaseLost,
    ObjectFrozen,
    OwnershipLost,
    RoomAborted,
    StateroomError,
    StorageRefused,
    TooManyWrites,
)
from ..core.ids import CommitSeq
from ..core.mounts import Durability
from ..core.ports import Committer
from ..core.values import (
    NO_ALARMS,
    Claim,
    CommitOutcome,
    CommitResult,
    Receipt,
    WriteBatch,
)
from .buffer import Layer, WriteBuffer
from .cache import RowCache
from .commit_points import CommitPoints
from .gate import OutputGate
from .known_alarms import KnownAlarms
from .limits import RoomLimits
from .loss import BoundedLoss
from .meter import Meter
from .open_reads import OpenReads
from .outputs import Output, bytes_of

_COMMITTED: Final = CommitResult.COMMITTED
_FAILURES: dict[CommitResult, type[StateroomError]] = {
    CommitResult.LOST: OwnershipLost,
    CommitResult.REFUSED: StorageRefused,
    CommitResult.UNAVAILABLE: LeaseLost,
}


_FIELDS: Final = (
    "_broken",
    "_commit_seq",
    "_committer",
    "_deliver",
    "_failed",
    "_limits",
    "_loss",
    "_points",
    "_queued",
    "_restoring",
    "_taken",
    "alarms",
    "buffer",
    "cache",
    "claim",
    "congested",
    "frozen",
    "gate",
    "meter",
    "progress",
    "reads",
)


class CommitLane:
    """See the module. It is the `BatchSource` that the committer knows.

    Args:
        claim: The ownership whose epoch every batch proves.
        committer: Where batches go.
        durability: What sends wait for.
        limits: Bounds of the room.
        clock: For the age of unconfirmed writes under `relaxed`.
        deliver: Called with outputs that may leave.
        failed: Called once, when the lane is broken.
        alarm_set: See `RoomEnvironment`.
        meter: Counts commits.
    """

    __slots__ = _FIELDS

    def __init__(
        self,
        *,
        claim: Claim,
        committer: Committer,
        durability: Durability,
        limits: RoomLimits,
        clock: Clock,
        deliver: Callable[[Sequence[Output]], None],
        failed: Callable[[StateroomError], None],
        alarm_set: Callable[[int], None],
        meter: Meter,
    ) -> None:
        self.claim = claim
        self.frozen = claim.frozen
        """Whether the object takes no changes; who writes asks before."""
        self.buffer = WriteBuffer()
        self.cache, self.alarms = RowCache(), KnownAlarms(alarm_set)
        self.reads = OpenReads(self._enqueue)
        self.gate: OutputGate[Output] = OutputGate()
        self._commit_seq = claim.commit_seq
        self._committer, self.meter = committer, meter
        self._loss: BoundedLoss | None = None
        if durability is Durability.RELAXED:
            self._loss = BoundedLoss(limits, clock, self._catch_up)
        self._limits, self._deliver, self._failed = limits, deliver, failed
        self.progress: Callable[[], None] = _ignore
        """Called after each confirmed batch."""
        self._taken = 0
        self.congested = False
        """Whether so much is unconfirmed or held back that sockets should stop reading."""
        self._queued = self._broken = False
        self._restoring: CommitSeq | None = None
        self._points = CommitPoints()

    @property
    def clean(self) -> bool:
        """Whether nothing is unconfirmed and nothing is held back."""
        return self.buffer.clean and not self.gate.held

    @property
    def commit_seq(self) -> CommitSeq:
        """The commit number of the object, as far as confirmed."""
        return self._commit_seq

    @property
    def at_rest(self) -> bool:
        """Whether it is clean, nobody waits for a commit or reads, and none is asked for."""
        return self.clean and not (self._queued or self._points.waiting or self.reads.open)

    def check_room(self, more_bytes: int) -> None:
        """See that what is unconfirmed stays bounded, however little its writers wait.

        Raises:
            TooManyWrites: With so much more it would be over what one event may write, on top of
                what makes sockets stop reading.
        """
        limits = self._limits
        size = self.buffer.unconfirmed_bytes + more_bytes
        if size > limits.buffer_bytes + limits.unit_bytes:
            raise TooManyWrites(f"{size} bytes wait to be committed")

    @property
    def receipt(self) -> Receipt:
        """Where the committed state stands."""
        claim = self.claim
        return Receipt(object_id=claim.object_id, epoch=claim.epoch, commit_seq=self._commit_seq)

    @property
    def current_claim(self) -> Claim:
        """The claim with the commit number of now, which a load must find."""
        claim = self.claim
        return Claim(
            object_id=claim.object_id,
            worker_id=claim.worker_id,
            epoch=claim.epoch,
            commit_seq=self._commit_seq,
            frozen=self.frozen,
        )

    def seal(self, outputs: Sequence[Output]) -> None:
        """End a unit: its writes join the pending batch, its outputs the gate's queue."""
        buffer = self.buffer
        if buffer.seal() and not (
            self._loss is not None and self._loss.allows(buffer.unconfirmed_bytes)
        ):
            self.gate.require(self._taken + 1)
        if buffer.dirty and not self._queued and buffer.flying is None:
            self._go_on()
        if outputs:
            self.offer(outputs)
        elif buffer.dirty:
            self._weigh()

    def offer(self, outputs: Sequence[Output]) -> None:
        """Let outputs leave after those before them and the units that are sealed by now."""
        gate = self.gate
        if not gate.open:
            gate.offer(outputs, size_bytes=bytes_of(outputs))
            self._weigh()
            return
        if self.buffer.dirty:
            self._weigh()
        self._deliver(outputs)

    def commit_point(self) -> asyncio.Future[Receipt]:
        """A future for the moment when everything sealed so far is confirmed.

        It fails with the error that broke the lane.
        """
        if self.buffer.dirty and not self._broken:
            point = self._points.add(self._taken + 1)
            if not self.buffer.in_flight:
                self._enqueue()
            return point
        if self.buffer.in_flight and not self._broken:
            return self._points.add(self._taken)
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        if self._broken:
            future.set_exception(RoomAborted())
        else:
            future.set_result(self.receipt)
        return future

    def restore(self, commit_seq: CommitSeq) -> asyncio.Future[Receipt]:
        """Make the committed rows what they were after a commit, in a commit of its own.

        Nothing may be unconfirmed or half written. What the cache knows of rows is wrong from
        the moment that the future is done. It fails with the error that broke the lane.
        """
        self.buffer.reserve()
        self._taken += 1
        self._restoring = commit_seq
        future = self._points.add(self._taken)
        self._enqueue()
        return future

    def _take_restore(self, commit_seq: CommitSeq) -> WriteBatch | None:
        """The batch that restores; it must not overtake any open read."""
        every_row = Layer()
        every_row.wipe()
        if self.reads.open and self.reads.bar(every_row):
            return None
        self._restoring = None
        claim = self.claim
        return WriteBatch(
            object_id=claim.object_id,
            epoch=claim.epoch,
            expected=self._commit_seq,
            wipe=False,
            entries={},
            size_bytes=0,
            restore=commit_seq,
        )

    def take_batch(self) -> WriteBatch | None:
        """See `core.ports.BatchSource`."""
        self._queued = False
        if self._restoring is not None and not self._broken:
            return self._take_restore(self._restoring)
        if self._broken or (self.reads.open and self.reads.bar(self.buffer.pending)):
            return None
        layer = self.buffer.freeze()
        if layer is None:
            return None
        if self.frozen:  # somebody has not asked: better no room than a commit
            self._failed(ObjectFrozen())
            return None
        self._taken += 1
        if self._loss is not None:
            self._loss.taken()
        claim = self.claim
        return WriteBatch(
            claim.object_id,
            claim.epoch,
            self._commit_seq,
            layer.wiped,
            layer.entries,
            layer.size_bytes,
            layer.alarms or NO_ALARMS,
        )

    def settle(self, outcome: CommitOutcome) -> None:
        """See `core.ports.BatchSource`."""
        if self._broken:
            return
        if outcome.result is not _COMMITTED:
            error = outcome.error
            if not isinstance(error, StateroomError):
                error = _FAILURES[outcome.result]()
            self._failed(error)
            return
        self._commit_seq = outcome.commit_seq
        if self._loss is not None:
            self._loss.settled()
        layer = self.buffer.confirm()
        self.meter.committed(len(layer.entries), layer.size_bytes)
        self.cache.absorb(layer)
        if layer.alarms is not None or layer.wiped:
            self.alarms.absorb(layer)
        ready = self.gate.confirm(self._taken)
        if self.buffer.dirty and not self._queued:
            self._go_on()
        self._weigh()
        if ready:
            self.meter.watch(self._deliver, ready)  # no event is charged with it
        if self._points.waiting:
            self._points.reached(self._taken, self.receipt)
        self.progress()

    def break_(self, error: StateroomError) -> None:
        """Drop what is held and unconfirmed; nothing is ever delivered or committed again."""
        self._broken = True
        self._queued = True  # it will never be asked for a batch again
        self.gate.break_()
        self._weigh()
        if self._loss is not None:
            self._loss.end()
        self._points.fail(error)
        # Who has kept the lane keeps nobody else by it.
        self.progress, self.reads, self._loss = _ignore, OpenReads(_ignore), None

    def _weigh(self) -> None:
        buffer = self.buffer
        waiting = buffer.pending.size_bytes + self.gate.held_bytes
        if buffer.flying is not None:
            waiting += buffer.flying.size_bytes
        self.congested = waiting > self._limits.buffer_bytes

    def _go_on(self) -> None:
        """See that what finished units wrote is committed: now, or under `relaxed` in time."""
        loss = self._loss
        if (
            loss is None
            or self._points.waiting
            or not self.gate.open
            or not loss.waits(self.buffer.pending)
        ):
            self._enqueue()

    def _catch_up(self) -> None:
        if self.buffer.dirty and not self.buffer.in_flight:
            self._enqueue()

    def _enqueue(self) -> None:
        if not self._queued:
            self._queued = True
            self._committer.enqueue(self)


def _ignore() -> None:
    """Nobody waits for room yet."""
