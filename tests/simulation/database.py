"""A model of Postgres with a synchronous standby: row locks, snapshots, a log, two clocks.

What of Postgres matters here: a statement sees what was committed when it began; a row that it
waited for it sees as it is then; what it wrote is invisible and locked until the commit is in
the log *and the standby has it*; when that wait is broken off, the rows become visible all the
same; a failover keeps what the standby has and nothing else; nextval is never undone.

Statements are generators (`statements`). They yield `Lock` to wait for a row, `PAUSE` where a
backend may be held up, and `Commit` with their changes; what they return is the answer.
"""

from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.simulation.swarm import CALM, Swarm
from tests.simulation.world import World

Key = tuple[str, Any]


class WorkerRow(NamedTuple):
    """A row of `worker`."""

    place: tuple[int, int]
    boot: int
    dead: bool
    expires: float
    draining: bool = False


class ObjectRow(NamedTuple):
    """A row of `object`, with its rows of `object_row` beside it; they are never changed."""

    epoch: int
    worker: int | None
    seq: int
    rows: dict[int, int]


Change = tuple[Key, WorkerRow | ObjectRow | None]


class Lock(NamedTuple):
    """Wait for the lock of a row."""

    key: Key


class Commit(NamedTuple):
    """Make these rows so (None: delete); goes on when they are visible to everybody."""

    changes: list[Change]
    batches: tuple["Batch", ...] = ()


class Batch(NamedTuple):
    """What a commit writes for one object: (operation, key, the operation it was based on)."""

    object_id: int
    epoch: int
    number: int
    writes: tuple[tuple[int, int, int | None], ...]


PAUSE = object()
Statement = Generator[Any, None, Any]


@dataclass(slots=True)
class Tables:
    """What is in a database."""

    workers: dict[int, WorkerRow]
    objects: dict[int, ObjectRow]
    epochs: int = 0

    def apply(self, changes: list[Change]) -> None:
        for (table, key), row in changes:
            rows: dict[int, Any] = self.workers if table == "worker" else self.objects
            if row is None:
                rows.pop(key, None)
            else:
                rows[key] = row
                if table == "object":
                    assert isinstance(row, ObjectRow)
                    self.epochs = max(self.epochs, row.epoch)

    def copy(self) -> "Tables":
        return Tables(dict(self.workers), dict(self.objects), self.epochs)


class Execution:
    """One statement that runs in a backend."""

    __slots__ = ("database", "locks", "lsn", "reply", "statement", "wanted")

    def __init__(
        self, database: "Database", make: Callable[["Execution"], Statement], reply: Any
    ) -> None:
        self.database = database
        self.statement = make(self)
        self.reply = reply
        self.locks: list[Key] = []
        self.lsn: int | None = None
        self.wanted: Commit | None = None

    def try_lock(self, key: Key) -> bool:
        """Take a lock if it is free (SKIP LOCKED)."""
        holders = self.database.holders
        holder = holders.get(key)
        if holder is not None:
            return holder is self
        holders[key] = self
        self.locks.append(key)
        return True


class Watcher:
    """What the oracle wants to know of the database; by default nothing."""

    def decided(self, commit: Commit) -> None: ...
    def flushed(self, lsn: int, commit: Commit) -> None: ...
    def replicated(self, lsn: int) -> None: ...
    def failed_over(self, lsn: int) -> None: ...
    def clock_stepped(self) -> None: ...


class Database:
    """See the module."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.watcher = Watcher()
        self.swarm: Swarm = CALM
        self.tables = Tables({}, {})
        self.holders: dict[Key, Execution] = {}
        self.disk_is_slow = 0.0
        self.standby_is_slow = 0.0
        self.replicated = 0
        self._standby = Tables({}, {})
        self._offset = 1000.0
        self._standby_offset = 1000.0
        self._waiters: dict[Key, deque[Execution]] = {}
        self._log: deque[tuple[int, Commit, Execution]] = deque()
        self._lsn = 0
        self._running: dict[Execution, None] = {}
        self._down_until = 0.0

    def clock(self) -> float:
        """What clock_timestamp() says."""
        return self.world.now + self._offset

    def next_epoch(self) -> int:
        """What nextval says."""
        self.tables.epochs += 1
        return self.tables.epochs

    def arrive(self, make: Callable[[Execution], Statement], reply: Any) -> None:
        """A statement reaches a backend; `reply` is told whether it ended, and its answer."""
        if self.world.now < self._down_until:
            if reply is not None:
                reply(False, None)  # noqa: FBT003 - a positional protocol of two
            return
        execution = Execution(self, make, reply)
        self._running[execution] = None
        self._go_on(execution)

    # -- faults --------------------------------------------------------------------------------

    def restart(self) -> None:
        """Stop at once and recover from the log. What was in it is there, also unreplicated."""
        self._lose_backends()
        self._down_until = self.world.now + self.world.chance.uniform(0.05, 0.5)
        for _, commit, _ in self._log:
            self.tables.apply(commit.changes)

    def fail_over(self, standby_offset: float) -> None:
        """The standby takes over with what it has; a new standby is made from it."""
        self._lose_backends()
        self._down_until = self.world.now + self.world.chance.uniform(0.05, 1.0)
        self._log.clear()
        self.tables = self._standby
        self._standby = self.tables.copy()
        self.tables.epochs += self.world.chance.randrange(33)  # nextval is logged ahead
        self.replicated = self._lsn
        self._offset = self._standby_offset
        self._standby_offset += standby_offset
        self.watcher.failed_over(self.replicated)
        self.watcher.clock_stepped()

    def step_clock(self, seconds: float) -> None:
        """Somebody sets the clock."""
        self._offset += seconds
        self.watcher.clock_stepped()

    def forget_the_dead(self, before: float) -> None:
        """Drop rows of workers that were dead long ago; nothing can ask for them any more."""
        for tables in (self.tables, self._standby):
            old = [key for key, row in tables.workers.items() if row.dead and row.expires < before]
            for key in old:
                del tables.workers[key]

    def _lose_backends(self) -> None:
        running, self._running = self._running, {}
        for execution in running:
            execution.statement.close()
            if execution.reply is not None:
                execution.reply(False, None)  # noqa: FBT003 - likewise
        self.holders.clear()
        self._waiters.clear()

    # -- inside --------------------------------------------------------------------------------

    def _go_on(self, execution: Execution) -> None:
        if execution not in self._running:
            return
        statement = execution.statement
        while True:
            try:
                want = next(statement)
            except StopIteration as end:
                self._end(execution, end.value)
                return
            if want is PAUSE:
                if self._odds("slow_statement"):
                    seconds = self.world.chance.expovariate(10)
                    self.world.after(seconds, self._go_on, execution)
                    return
            elif isinstance(want, Lock):
                if not execution.try_lock(want.key):
                    self._waiters.setdefault(want.key, deque()).append(execution)
                    return
            else:
                self._write(execution, want)
                return

    def _write(self, execution: Execution, commit: Commit) -> None:
        """Hold the locks until the disk has it."""
        execution.wanted = commit
        self.watcher.decided(commit)
        if self.world.now < self.disk_is_slow:
            seconds = self.world.chance.expovariate(1.5)
        elif self._odds("slow_lock"):
            seconds = self.world.chance.expovariate(4) * self.world.chance.choice((0.5, 0.5, 3))
        else:
            self._flush(execution)
            return
        self.world.after(seconds, self._flush, execution)

    def _flush(self, execution: Execution) -> None:
        if execution not in self._running:
            return
        commit = execution.wanted
        assert commit is not None
        self._lsn += 1
        execution.lsn = self._lsn
        self.watcher.flushed(self._lsn, commit)
        self._log.append((self._lsn, commit, execution))
        if self.world.now < self.standby_is_slow:
            if self._odds("broken_wait", 10.0):
                self.world.after(self.world.chance.expovariate(5), self._break_wait, execution)
            if len(self._log) == 1:
                self.world.after(self.standby_is_slow - self.world.now, self._replicate, self._lsn)
        else:
            self._replicate(self._lsn)

    def _replicate(self, _lsn: int) -> None:
        """The standby has caught up."""
        if self.world.now < self.standby_is_slow:
            self.world.after(self.standby_is_slow - self.world.now, self._replicate, _lsn)
            return
        while self._log:
            lsn, commit, execution = self._log.popleft()
            self._standby.apply(commit.changes)
            self.replicated = lsn
            self.watcher.replicated(lsn)
            if execution in self._running and execution.lsn == lsn:
                self._become_visible(execution)

    def _break_wait(self, execution: Execution) -> None:
        """The backend is ended while it waits for the standby: visible, and nobody is told."""
        if execution in self._running and execution.lsn is not None:
            reply, execution.reply = execution.reply, None
            if reply is not None:
                reply(False, None)  # noqa: FBT003 - likewise
            self._become_visible(execution)

    def _become_visible(self, execution: Execution) -> None:
        commit = execution.wanted
        assert commit is not None
        self.tables.apply(commit.changes)
        execution.lsn = None
        self._go_on(execution)

    def _end(self, execution: Execution, answer: Any) -> None:
        del self._running[execution]
        if execution.reply is not None:
            execution.reply(True, answer)  # noqa: FBT003 - likewise
        for key in execution.locks:
            del self.holders[key]
        for key in execution.locks:
            waiters = self._waiters.get(key)
            while waiters and key not in self.holders:
                heir = waiters.popleft()
                if heir in self._running:
                    heir.try_lock(key)
                    self._go_on(heir)
            if not waiters:
                self._waiters.pop(key, None)

    def _odds(self, kind: str, times: float = 1.0) -> bool:
        return self.world.chance.random() < self.swarm.odds[kind] * times
