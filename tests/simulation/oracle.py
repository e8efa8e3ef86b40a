"""What must never be, looked at as it happens.

The oracle sees everything at once: every clock, what the log holds, what every client was told.
It shares no code with what it judges.
"""

from collections import Counter, deque
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.simulation.database import Commit, Database, Watcher, WorkerRow
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.rooms import Room

_KEPT = 64
_KEYS = 4
_MARGIN_PART = 0.1


class Operation(NamedTuple):
    """What a client asks: write (its own number) or read one key of an object."""

    number: int
    object_id: int
    key: int
    writes: bool
    known: int | None
    """The last write of that key which anybody was told of when this was asked."""


class Applied(NamedTuple):
    """A write that stands in the log."""

    lsn: int
    slot: tuple[int, int]
    number: int
    before: int | None


class Oracle(Watcher):
    """See the module.

    Args:
        world: Time, and the text of a violation.
        database: Watched.
        lease: Length in seconds.
    """

    def __init__(self, world: World, database: Database, *, lease: float) -> None:
        self.world = world
        self.database = database
        self.lease = lease
        self.seen: Counter[str] = Counter()
        """How often what happened: a walk on which nothing happens proves nothing."""
        self.written_at: dict[int, float] = {}
        self.acknowledged: dict[tuple[int, int], int] = {}
        self._content: dict[tuple[int, int], int | None] = {}
        self._lsn: dict[int, int] = {}
        self._known: dict[tuple[int, int], deque[int]] = {}
        self._unreplicated: deque[Applied] = deque()
        self._claimed: dict[int, int] = {}
        self._opened: dict[int, int] = {}
        self._rooms: dict[int, list[Room]] = {}
        self._crowded: set[int] = set()
        self._deadlines: dict[tuple[int, int], tuple[int, float]] = {}
        self._stepped_at = float("-inf")

    @property
    def clock_is_steady(self) -> bool:
        """Whether every lease in force was granted by the clock that is there now."""
        return self.world.now > self._stepped_at + self.lease * 1.01

    # -- the database --------------------------------------------------------------------------

    def decided(self, commit: Commit) -> None:
        """A statement has tested what it tests, under its locks."""
        for (_, key), row in commit.changes:
            if isinstance(row, WorkerRow):
                self._judge_worker(key, row)

    def flushed(self, lsn: int, commit: Commit) -> None:
        """A commit is in the log."""
        for (table, key), row in commit.changes:
            if table == "object":
                self._judge_object(key, row)
        for batch in commit.batches:
            row = self.database.tables.objects[batch.object_id]
            if batch.epoch != self._claimed[batch.object_id]:
                raise self.world.violated(
                    f"epoch {batch.epoch} committed to object {batch.object_id}, "
                    f"which epoch {self._claimed[batch.object_id]} has claimed"
                )
            if batch.number != row.seq:
                raise self.world.violated(
                    f"a batch that follows commit {batch.number} of object {batch.object_id} "
                    f"was applied after commit {row.seq}"
                )
            for number, key, before in batch.writes:
                self._apply(lsn, (batch.object_id, key), number, before)

    def replicated(self, lsn: int) -> None:
        """The standby has everything up to this."""
        unreplicated = self._unreplicated
        while unreplicated and unreplicated[0].lsn <= lsn:
            unreplicated.popleft()

    def failed_over(self, lsn: int) -> None:
        """What the standby did not have is gone."""
        del lsn
        self.seen["writes lost in a failover"] += len(self._unreplicated)
        while self._unreplicated:
            applied = self._unreplicated.pop()
            self._content[applied.slot] = applied.before
            self._lsn.pop(applied.number, None)
            if self.acknowledged.get(applied.slot) == applied.number:
                raise self.world.violated(f"the acknowledged write {applied.number} is lost")
        objects = self.database.tables.objects
        self._claimed = {key: row.epoch for key, row in objects.items()}
        self.compare()

    def clock_stepped(self) -> None:
        """Leases in force may look longer or shorter than they are."""
        self._stepped_at = self.world.now

    def compare(self) -> None:
        """The database holds what the log says, and so every acknowledged write."""
        for key, row in self.database.tables.objects.items():
            for where in range(_KEYS):
                expected = self._content.get((key, where))
                if row.rows.get(where) != expected:
                    raise self.world.violated(
                        f"object {key} holds {row.rows.get(where)} at {where}, not {expected}"
                    )
        for slot, number in self.acknowledged.items():
            stands = self._content.get(slot)
            if stands is None or self._position(stands) < self._position(number):
                raise self.world.violated(f"the acknowledged write {number} is missing")

    # -- the workers ---------------------------------------------------------------------------

    def granted(self, process: "Process", worker: int, asked: float) -> None:
        """A worker has got a yes to what it asked at this instant of its clock."""
        place = process.place
        deadline = asked + self.lease * (1 - _MARGIN_PART)
        known, former = self._deadlines.get(place, (-1, 0.0))
        if known == worker:
            deadline = former if process.clock() >= former else max(former, deadline)
        self._deadlines[place] = (worker, deadline)

    def opened(self, room: "Room") -> None:
        """A room has its rows and begins to serve."""
        self.seen["rooms opened"] += 1
        key = room.object_id
        if room.epoch == self._claimed[key]:
            self._judge_rows(room)
        self._opened[key] = max(self._opened.get(key, 0), room.epoch)
        rooms = self._rooms.setdefault(key, [])
        rooms.append(room)
        if len(rooms) > 1:
            self._crowded.add(key)
            self.check()

    def closed(self, room: "Room") -> None:
        """A room serves no more."""
        rooms = self._rooms.get(room.object_id, [])
        if room in rooms:
            rooms.remove(room)
            if len(rooms) < 2:
                self._crowded.discard(room.object_id)

    def left(self, room: "Room", operation: Operation, value: int | None) -> None:
        """An answer was handed to a client."""
        self.seen["answers"] += 1
        self._judge_lease(room)
        shown = operation.number if operation.writes else value
        if shown is not None and self._position(shown) > self.database.replicated:
            raise self.world.violated(
                f"the write {shown} was shown before its commit was safe on both machines"
            )
        if self.clock_is_steady:
            self._judge_freshness(room, operation, value)
        if operation.writes:
            self.written_at[operation.object_id] = self.world.now
            slot = (operation.object_id, operation.key)
            latest = self.acknowledged.get(slot)
            if latest is None or self._position(latest) < self._position(operation.number):
                self.acknowledged[slot] = operation.number

    def check(self) -> None:
        """After every step: no two workers hold one object."""
        if not self._crowded or not self.clock_is_steady:
            return
        for key in self._crowded:
            serving = [
                room
                for room in self._rooms[key]
                if room.process.protocol.term.deadline > room.process.clock()
                and room.process.holds()
            ]
            if len(serving) > 1:
                epochs = sorted(room.epoch for room in serving)
                raise self.world.violated(f"object {key} is served under the epochs {epochs}")

    # -- inside --------------------------------------------------------------------------------

    def _apply(self, lsn: int, slot: tuple[int, int], number: int, before: int | None) -> None:
        stands = self._content.get(slot)
        if stands != before:
            raise self.world.violated(
                f"the write {number} was made on {before} and applied on {stands}: "
                "a write between them is lost"
            )
        self._content[slot] = number
        self._lsn[number] = lsn
        known = self._known.setdefault(slot, deque())
        known.append(number)
        if len(known) > _KEPT:
            self._lsn.pop(known.popleft(), None)
        self._unreplicated.append(Applied(lsn, slot, number, before))

    def _position(self, number: int) -> float:
        """Where a write stands in the log; nowhere is after everything."""
        return self._lsn.get(number, float("inf"))

    def _judge_worker(self, key: int, row: WorkerRow) -> None:
        stands = self.database.tables.workers.get(key)
        if stands is None:
            return
        if stands.dead and not row.dead:
            raise self.world.violated(f"worker {key} is dead and was made live again")
        over = stands.dead or stands.expires <= self.database.clock()
        if over and row.expires > stands.expires:
            raise self.world.violated(f"the lease of worker {key} had ended and was extended")

    def _judge_object(self, key: int, row: Any) -> None:
        if row is None:
            return
        claimed = self._claimed.get(key, 0)
        if row.epoch < claimed:
            raise self.world.violated(f"object {key} went from epoch {claimed} to {row.epoch}")
        self._claimed[key] = row.epoch

    def _judge_rows(self, room: "Room") -> None:
        """Nobody but the owner of the newest epoch can have committed since it claimed."""
        for where in range(_KEYS):
            loaded = room.rows.get(where) if room.rows else None
            stands = self._content.get((room.object_id, where))
            if loaded != stands:
                raise self.world.violated(
                    f"a room of object {room.object_id} opened with {loaded} at {where}, "
                    f"and the log has {stands}"
                )

    def _judge_lease(self, room: "Room") -> None:
        process = room.process
        worker, deadline = self._deadlines.get(process.place, (-1, 0.0))
        if worker != process.worker or process.clock() >= deadline:
            raise self.world.violated(
                f"worker {process.worker} spoke for object {room.object_id} after its deadline"
            )
        if not self.clock_is_steady:
            return
        row = self.database.tables.workers.get(worker)
        if row is None or row.dead or row.expires <= self.database.clock():
            raise self.world.violated(
                f"worker {worker} spoke for object {room.object_id} when its lease had ended "
                "in the database"
            )

    def _judge_freshness(self, room: "Room", operation: Operation, value: int | None) -> None:
        key = operation.object_id
        if room.epoch < self._opened.get(key, 0):
            raise self.world.violated(
                f"object {key} was answered for under epoch {room.epoch} after "
                f"epoch {self._opened[key]} had opened"
            )
        known = operation.known
        if known is None:
            return
        if value is None or self._lsn.get(value, -1) < self._lsn.get(known, -1):
            raise self.world.violated(
                f"object {key} showed {value}, though {known} had been acknowledged before"
            )
