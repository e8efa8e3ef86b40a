"""Group commit: the Postgres side of `core.ports.Committer`.

One committer serves one life of one worker. Sources say that they have something; their batches
are taken at the last moment, when the connection is free, and sent in one statement. There is no
gathering wait: whatever becomes dirty while a commit is in flight goes into the next, so groups
grow by themselves under load and a lone room waits for nobody. All that the event loop found in
one turn goes together, and no task is woken on the way out nor on the way back.

**Database and worker take turns only when there is little to do.** Of many rooms that wait, one
half goes at once and the other stays behind; when the first has landed, the second is sent before
the rooms of the first are told. So the database has work while the outputs of the first half
leave and its next messages are taken in. A group that is small for the one before it waits for
what those rooms have to commit, for each group has its price.

A batch that is large would hold up the small ones, so large ones go over a second connection,
are put into bytes beside the event loop, and have a longer time: a statement that is dropped when
it has worked for as long as it may would only be sent again, and never end.
A room whose row somebody else has locked is sent again after a pause, with the groups of then.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

import structlog

from ..core.clock import Clock, SystemClock
from ..core.errors import StoreUnavailable
from ..core.history import NO_HISTORY, HistoryRule
from ..core.ids import WorkerId
from ..core.ports import BatchSource, LeaseCheck
from ..core.tasks import TaskOwner
from ..core.values import CommitOutcome, CommitResult, WriteBatch
from .commit_history import CommitCalls
from .commit_meter import CommitMeter
from .commit_path import CommitPath
from .commit_statement import Flight
from .database import Database
from .wire import Answer

_log = structlog.get_logger(__name__)

GROUP_ROOMS: Final = 500
WHOLE_GROUP_ROOMS: Final = 50
"""So many are never divided: below that the price of a group is a good part of the whole."""
GROUP_BYTES: Final = 4 << 20
GROUP_ROWS: Final = 8_000
LARGE_BATCH_BYTES: Final = 1 << 20
LARGE_BATCH_ROWS: Final = 2_000
LARGE_TIMES: Final = 12
"""So much longer than other statements may that of a large batch take: two minutes. An event
writes at most `RoomLimits.unit_bytes`, which may be a million small rows."""
_BUSY_FIRST_SECONDS: Final = 0.005
_BUSY_LONGEST_SECONDS: Final = 0.25


class PostgresCommitter:
    """See the module and `Committer`.

    Args:
        database: An open database.
        worker_id: The worker whose rooms commit here.
        lease: How long to go on when the database is away.
        clock: For pauses.
        history: Which objects keep history.
        meter: Measures groups and counts batches.
    """

    def __init__(
        self,
        database: Database,
        *,
        worker_id: WorkerId,
        lease: LeaseCheck,
        clock: Clock | None = None,
        history: HistoryRule = NO_HISTORY,
        meter: CommitMeter | None = None,
    ) -> None:
        self._lease = lease
        self._changed = database.changed.note
        calls = CommitCalls(history)
        self._clock = clock or SystemClock()
        self._meter = meter or CommitMeter(self._clock)
        self._meter.backlog = lambda: len(self._waiting) + len(self._in_flight)
        self._tasks = TaskOwner("committer")
        target = database.target
        patient = replace(target, statement_seconds=LARGE_TIMES * target.statement_seconds)
        self._small, self._large = (
            CommitPath(
                each,
                worker_id=worker_id,
                lease=lease,
                clock=self._clock,
                settle=self._settled,
                calls=calls,
            )
            for each in (target, patient)
        )
        self._waiting: deque[BatchSource] = deque()
        self._queued: set[BatchSource] = set()
        self._in_flight: dict[BatchSource, Flight] = {}
        self._again: set[BatchSource] = set()
        self._due: deque[Flight] = deque()
        self._large_due: deque[Flight] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scheduled = False
        self._flying = False
        self._wake_large = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._closed = False

    async def start(self) -> None:
        """Connect and begin to commit.

        Raises:
            StoreUnavailable: The database is away.
        """
        await self._small.connect()
        self._loop = asyncio.get_running_loop()
        self._schedule()
        self._tasks.start(self._run_large(), name="large")

    async def close(self, *, seconds: float = 5.0) -> None:
        """Commit what is enqueued, then stop; what is not done in time is UNAVAILABLE."""
        try:
            async with asyncio.timeout(seconds):
                await self.drained()
        except TimeoutError:
            _log.warning("committer_not_drained", rooms=len(self._in_flight) + len(self._waiting))
        self._closed = True
        self._small.abandon()
        await self._tasks.close()
        for flight in list(self._in_flight.values()):
            self._unavailable(flight)
        while self._waiting:
            self._turn_away(self._waiting.popleft())
        self._queued.clear()
        await self._small.close()
        await self._large.close()

    async def drained(self) -> None:
        """Wait until nothing is enqueued and nothing on its way; the caller has the deadline."""
        await self._drained.wait()

    def enqueue(self, source: BatchSource) -> None:
        """See `Committer.enqueue`."""
        if self._closed:
            asyncio.get_running_loop().call_soon(self._turn_away, source)
        elif source in self._in_flight:
            self._again.add(source)
        elif source not in self._queued:
            self._queued.add(source)
            if not self._waiting:
                self._meter.waiting()
            self._waiting.append(source)
            self._drained.clear()
            self._schedule()

    def _schedule(self) -> None:
        """Send the next group when this turn of the event loop has heard of all that arrived."""
        if not self._scheduled and not self._flying and self._loop is not None:
            self._scheduled = True
            self._loop.call_soon(self._launch)

    def _launch(self) -> None:
        self._scheduled = False
        if self._flying or self._closed or not (group := self._gather()):
            return
        self._flying = True
        self._meter.launched(group, more=bool(self._waiting))
        try:
            launched = self._small.launch(group, self._landed)
        except Exception as error:  # noqa: BLE001 - see `_commit`
            self._failed(group, error)
            self._flew()
        else:
            if not launched:
                self._tasks.start(self._fly(group, self._small.commit(group)), name="small")

    def _landed(self, group: list[Flight], found: Answer | Exception | None) -> None:
        if found is None:
            self._flying = False
            self._meter.landed()
            if 2 * len(self._waiting) >= len(group):
                self._launch()
            try:
                self._small.confirm(group)
            except Exception as error:  # noqa: BLE001 - see `_commit`
                self._failed(group, error)
            self._go_on()
        elif not self._closed:
            self._tasks.start(self._fly(group, self._small.resume(group, found)), name="small")

    async def _fly(self, group: list[Flight], rest: Awaitable[list[Flight]]) -> None:
        try:
            await self._commit(rest, group, self._due, self._schedule)
        finally:
            self._flew()

    def _flew(self) -> None:
        self._flying = False
        self._meter.landed()
        self._go_on()

    def _go_on(self) -> None:
        if self._waiting or self._due:
            self._schedule()

    async def _run_large(self) -> None:
        while True:
            await self._wake_large.wait()
            self._wake_large.clear()
            while self._large_due:
                group = [self._large_due.popleft()]
                rest = self._large.commit(group)
                await self._commit(rest, group, self._large_due, self._wake_large.set)

    async def _commit(
        self,
        rest: Awaitable[list[Flight]],
        group: list[Flight],
        due: deque[Flight],
        wake: Callable[[], None],
    ) -> None:
        try:
            busy = await rest
        except Exception as error:  # noqa: BLE001 - logged, and answered
            self._failed(group, error)
            return
        for flight in busy:
            self._defer(flight, due, wake)

    def _failed(self, group: list[Flight], error: Exception) -> None:
        """A fault of ours must not stop the commits of every other room."""
        _log.error("commit_failed_unexpectedly", rooms=len(group), exc_info=error)
        for flight in group:
            if self._in_flight.get(flight.source) is flight:
                self._unavailable(flight)

    def _gather(self) -> list[Flight]:
        """Freeze the next group, as late as possible."""
        group = list(self._due)
        self._due.clear()
        size = rows = 0
        waiting = self._waiting
        most = min(GROUP_ROOMS, max(WHOLE_GROUP_ROOMS, (len(waiting) + 1) // 2))
        while waiting and len(group) < most and size < GROUP_BYTES and rows < GROUP_ROWS:
            source = waiting.popleft()
            self._queued.discard(source)
            batch = self._take(source)
            if batch is None:
                continue
            flight = self._in_flight[source] = Flight(source, batch)
            if (
                batch.size_bytes > LARGE_BATCH_BYTES
                or len(batch.entries) > LARGE_BATCH_ROWS
                or batch.restore is not None
            ):
                self._large_due.append(flight)
                self._wake_large.set()
                continue
            group.append(flight)
            size += batch.size_bytes
            rows += len(batch.entries)
        if not waiting and not self._in_flight:
            self._drained.set()
        return group

    def _take(self, source: BatchSource) -> WriteBatch | None:
        try:
            return source.take_batch()
        except Exception:  # noqa: BLE001 - one room's fault stays its own
            _log.exception("batch_source_failed")
            return None

    def _defer(self, flight: Flight, due: deque[Flight], wake: Callable[[], None]) -> None:
        """Send a flight again after a pause, for as long as the lease holds."""
        if not self._lease.holds():
            self._unavailable(flight)
            return

        def again() -> None:
            due.append(flight)
            wake()

        seconds = _BUSY_FIRST_SECONDS * 2 ** min(flight.tries - 1, 10)
        self._clock.call_later(min(seconds, _BUSY_LONGEST_SECONDS), again)

    def _settled(self, flight: Flight, outcome: CommitOutcome) -> None:
        source = flight.source
        del self._in_flight[source]
        if outcome.result is CommitResult.COMMITTED:
            self._meter.committed += 1
            self._changed(flight.batch.object_id.uuid)
        else:
            self._meter.ended(outcome.result)
        if source in self._again:
            self._again.discard(source)
            self.enqueue(source)
        try:
            source.settle(outcome)
        except Exception:  # noqa: BLE001 - one room's fault stays its own
            _log.exception("batch_source_failed")
        if not self._in_flight and not self._waiting:
            self._drained.set()

    def _unavailable(self, flight: Flight) -> None:
        reason = StoreUnavailable("the lease or the committer ended before the database answered")
        outcome = CommitOutcome(CommitResult.UNAVAILABLE, flight.batch.expected, reason)
        self._settled(flight, outcome)

    def _turn_away(self, source: BatchSource) -> None:
        """Answer a source that comes after the end, so that it does not wait for ever."""
        batch = self._take(source)
        if batch is not None:
            self._in_flight[source] = flight = Flight(source, batch)
            self._unavailable(flight)
