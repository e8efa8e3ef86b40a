"""A room and a committer, as app/room and app/store/committer have them, without the I/O.

A room keeps what it has loaded and changed; its answers wait at the gate for their commit and
for the lease. A commit lane has one group in flight. It tells lost from busy by a read, and
settles what it does not know by a fenced write, never by a read.
"""

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.simulation import statements
from tests.simulation.database import Batch, ObjectRow
from tests.simulation.oracle import Operation

if TYPE_CHECKING:
    from tests.simulation.process import Process

_GROUP = 8
_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 1.0
_BUSY_PAUSE = 0.02

Write = tuple[int, int, int | None]


class Output(NamedTuple):
    """An answer that waits for a batch."""

    batch: int
    operation: Operation
    value: int | None


class Room:
    """See the module."""

    def __init__(
        self, process: "Process", object_id: int, epoch: int, seq: int, waiting: list[Operation]
    ) -> None:
        self.process = process
        self.object_id = object_id
        self.epoch = epoch
        self.seq = seq
        self.open = True
        self.worker = process.worker
        self.released = False
        self.rows: dict[int, int] | None = None
        self._waiting = waiting
        self._pending: list[Write] = []
        self._in_flight = False
        self._taken = 0
        self._confirmed = 0
        self._held: deque[Output] = deque()
        self._leaving = False

    # -- events --------------------------------------------------------------------------------

    def load(self, rows: dict[int, int] | None) -> None:
        """Read the object's rows, unless the claim has brought them (a broken variant)."""
        if rows is not None:
            self._loaded(came=True, rows=rows)
            return
        make = statements.load(self.object_id, self.epoch, self.seq)
        self.process.ask(make, lambda came, answer: self._loaded(came=came, rows=answer))

    def hear(self, operation: Operation) -> None:
        """Run one event to its end."""
        if self._leaving or not self.open:
            return
        rows = self.rows
        if rows is None:
            if len(self._waiting) < 4:
                self._waiting.append(operation)
            return
        value = rows.get(operation.key)
        if operation.writes:
            rows[operation.key] = operation.number
            self._pending.append((operation.number, operation.key, value))
            if not self._in_flight:
                self.process.lane.enqueue(self)
        self._offer(Output(self._taken + bool(self._pending), operation, value))

    def leave(self) -> None:
        """Give the object up in good order."""
        if self.open and not self._leaving:
            self._leaving = True
            self._leave_when_clean()

    def abort(self) -> None:
        """Throw the room away, with all that is held and unconfirmed."""
        if self.open:
            self.open = False
            self._held.clear()
            self.process.forget(self)

    # -- what the commit lane asks -------------------------------------------------------------

    def take_batch(self) -> Batch | None:
        """Freeze what is to be committed."""
        if not self.open or not self._pending:
            return None
        writes, self._pending = tuple(self._pending), []
        self._in_flight = True
        self._taken += 1
        return Batch(self.object_id, self.epoch, self.seq, writes)

    def committed(self, seq: int) -> None:
        """The batch in flight is in."""
        if not self.open:
            return
        self.seq = seq
        self._in_flight = False
        self._confirmed = self._taken
        if self._pending:
            self.process.lane.enqueue(self)
        held = self._held
        while held and held[0].batch <= self._confirmed:
            self._deliver(held.popleft())  # which drops the rest if the lease is over
        self._leave_when_clean()

    # -- inside --------------------------------------------------------------------------------

    def _loaded(self, *, came: bool, rows: dict[int, int] | None) -> None:
        if not self.open:
            return
        if not came or rows is None:
            self.abort()
            return
        self.rows = dict(rows)
        self.process.oracle.opened(self)
        waiting, self._waiting = self._waiting, []
        for operation in waiting:
            self.hear(operation)
        self._leave_when_clean()

    def _offer(self, output: Output) -> None:
        if not self._held and output.batch <= self._confirmed:
            self._deliver(output)
        else:
            self._held.append(output)

    def _deliver(self, output: Output) -> None:
        process = self.process
        if process.variant.speaks_after_its_lease or process.holds():
            process.oracle.left(self, output.operation, output.value)
        else:
            process.oracle.seen["answers held back after the deadline"] += 1
            self.abort()

    def _leave_when_clean(self) -> None:
        if not self._leaving or not self.open or self._pending or self._in_flight:
            return
        self.open = False
        self.released = True
        process = self.process
        make = statements.release(process.worker, self.object_id, self.epoch)
        process.oracle.closed(self)
        process.ask(make, lambda *_: process.forget(self))


class Flight:
    """One batch on its way; see `app.store.commit_statement.Flight`."""

    __slots__ = ("applied", "batch", "doubtful", "number", "room")

    def __init__(self, room: Room, batch: Batch) -> None:
        self.room = room
        self.batch = batch
        self.number = batch.number
        self.doubtful = False
        self.applied = False

    def call(self) -> Batch:
        writes = () if self.applied else self.batch.writes
        return self.batch._replace(number=self.number, writes=writes)


class CommitLane:
    """See the module. One life of a worker has one."""

    def __init__(self, process: "Process", worker: int) -> None:
        self.process = process
        self.worker = worker
        self._waiting: dict[Room, None] = {}
        self._due: list[Flight] = []
        self.busy = False
        self._failures = 0
        self._over = False

    def enqueue(self, room: Room) -> None:
        """A room has something to commit."""
        self._waiting[room] = None
        self._pump()

    def end(self) -> None:
        """The life is over: what is unconfirmed stays so."""
        self._over = True

    def _pump(self) -> None:
        if self.busy or self._over:
            return
        group, self._due = self._due, []
        while self._waiting and len(group) < _GROUP:
            room = next(iter(self._waiting))
            del self._waiting[room]
            batch = room.take_batch()
            if batch is not None:
                group.append(Flight(room, batch))
        if group:
            self.busy = True
            self._send(group)

    def _send(self, flights: list[Flight]) -> None:
        if not flights or self._over:
            self.busy = False
            self._pump()
            return
        make = self.process.variant.commit(self.worker, [flight.call() for flight in flights])
        self.process.ask(make, lambda came, answer: self._sent(flights, came, answer))

    def _sent(self, flights: list[Flight], came: bool, answer: Any) -> None:
        if self._over:
            return
        if not came:
            for flight in flights:
                flight.doubtful = True
            if self.process.variant.settles_by_a_read:
                self._look(flights, settle=True)
            else:
                self._pause(flights)
            return
        self._failures = 0
        missing = [flight for flight in flights if flight.batch.object_id not in answer]
        for flight in flights:
            if flight.batch.object_id in answer:
                flight.room.committed(flight.number + 1)
        if missing:
            self._look(missing, settle=False)
        else:
            self._send([])

    def _look(self, flights: list[Flight], *, settle: bool) -> None:
        def then(came: bool, answer: Any) -> None:
            if self._over:
                return
            if came:
                self._sort_out(flights, answer, settle=settle)
            else:
                self._pause(flights)

        objects = [flight.batch.object_id for flight in flights]
        self.process.ask(statements.state(objects), then)

    def _sort_out(self, flights: list[Flight], rows: dict[int, ObjectRow], *, settle: bool) -> None:
        """Tell the lost from the busy."""
        seen = self.process.oracle.seen
        again = []
        for flight in flights:
            row = rows.get(flight.batch.object_id)
            if row is None or row.epoch != flight.batch.epoch or row.worker != self.worker:
                seen["commits refused by the fence"] += 1
                flight.room.abort()
            elif row.seq == flight.number:
                if settle:
                    again.append(flight)
                else:
                    seen["commits that met a locked row"] += 1
                    self.process.later(_BUSY_PAUSE, self._due_again, flight)
            elif flight.doubtful and row.seq > flight.number:
                if settle:
                    flight.room.committed(row.seq)
                    continue
                seen["unknown outcomes settled by a write"] += 1
                flight.applied = True
                flight.number = row.seq
                again.append(flight)
            else:
                flight.room.abort()
        self._send(again)

    def _due_again(self, flight: Flight) -> None:
        if self._over or not self.process.holds():
            flight.room.abort()
            return
        self._due.append(flight)
        self._pump()

    def _pause(self, flights: list[Flight]) -> None:
        seconds = min(_FIRST_PAUSE * 2**self._failures, _LONGEST_PAUSE)
        self._failures += 1
        self.process.later(seconds, self._after_pause, flights)

    def _after_pause(self, flights: list[Flight]) -> None:
        if self._over or not self.process.holds():
            for flight in flights:
                flight.room.abort()
            flights = []
        self._send(flights)
