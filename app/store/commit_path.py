"""One connection that commits groups, and what it does when an answer is not a plain yes.

Every flight that is given to `commit` is settled or given back as busy; there is no third end.

* Missing from the answer: the object's row is read. Another owner or another number is LOST;
  the same ones mean that somebody had the row locked: busy, to be tried again.
* Refused by the database for its rows: the group is halved until the guilty one is alone.
  The others commit.
* A conflict, or a database that cannot work just now: the same again, with growing pauses.
* The connection gone after sending: whether it was applied is not known, and **no read may
  decide it**: a late copy of the statement may still arrive, and what a read shows may not be
  replicated. The same fenced write is sent again on a new connection. If an earlier copy is
  found to be in, an empty commit on top of it settles the matter.

A group that meets none of this needs no task: it is launched, and its answer settles it within
the event loop's call for what arrived (`launch`).

All of that goes on while the lease holds; after that the flights are UNAVAILABLE.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final
from uuid import UUID

import asyncpg
import structlog
from asyncpg.pgproto.pgproto import UUID as DriverUUID  # noqa: N811 - two of them, told apart

from ..core.clock import Clock
from ..core.errors import BookmarkExpired, OwnershipLost, StoreUnavailable
from ..core.ids import CommitSeq, WorkerId
from ..core.ports import LeaseCheck
from ..core.values import CommitOutcome, CommitResult
from .commit_history import CommitCalls
from .commit_statement import SESSION, STATE, Flight
from .driver import ConnectTarget
from .failures import DRIVER_ERRORS, NEW_CONNECTION, Fault, classify, label, translated
from .wire import Answer, Row
from .wire_connection import CommitConnection, WireConnection, open_for_commits

_log = structlog.get_logger(__name__)

_FIRST_PAUSE_SECONDS: Final = 0.02
_LONGEST_PAUSE_SECONDS: Final = 1.0
_LONG_ROWS: Final = 8_000
"""With more rows the statement is made beside the event loop; a room changes nothing that it
has handed over, so it may be read from anywhere."""

Settle = Callable[[Flight, CommitOutcome], None]
Landed = Callable[[list[Flight], Answer | Exception | None], None]


class CommitPath:
    """See the module. Not for two groups at once.

    Args:
        target: Where the database is.
        worker_id: The worker whose rooms commit here; part of the fence.
        lease: How long to go on when the database is away.
        clock: For the pauses.
        settle: Told the end of each flight, once.
        calls: Which statement commits a group.
    """

    def __init__(
        self,
        target: ConnectTarget,
        *,
        worker_id: WorkerId,
        lease: LeaseCheck,
        clock: Clock,
        settle: Settle,
        calls: CommitCalls,
    ) -> None:
        self._target = target
        self._worker_id: UUID = DriverUUID(worker_id.bytes)
        self._lease = lease
        self._clock = clock
        self._settle = settle
        self._calls = calls
        self._connection: CommitConnection | None = None
        self._failures = 0
        self._flying: list[Flight] = []
        self._statement = ""
        self._landed: Landed | None = None

    async def connect(self) -> None:
        """Open the connection now rather than at the first commit.

        Raises:
            StoreUnavailable: The database is away.
        """
        try:
            await self._connected()
        except DRIVER_ERRORS as error:
            raise translated(error) from error

    async def close(self) -> None:
        """Close the connection; nothing may be under way."""
        if self._connection is not None:
            await self._connection.close()

    def abandon(self) -> None:
        """Tell nobody what becomes of a group that was launched."""
        if self._landed is not None and isinstance(self._connection, WireConnection):
            self._connection.abandon()

    def launch(self, flights: list[Flight], landed: Landed) -> bool:
        """Commit a group without a task, if the connection stands and all goes well.

        Returns False when it must be given to `commit` instead: nothing was sent then. Otherwise
        `landed` is called at its end, from within the event loop's call for what arrived: with
        None when all of it is committed, else with what `resume` needs. After None nobody has
        been told yet: that is for `confirm`, before which the next group may be launched.
        """
        connection = self._connection
        if not isinstance(connection, WireConnection):
            return False
        self._statement, arguments = self._calls.call(self._worker_id, flights)
        try:
            if not connection.submit(self._statement, arguments, self._answered):
                return False
        except ValueError:
            return False  # as it is not sent, `commit` finds out whose it is
        self._flying, self._landed = flights, landed
        return True

    def _answered(self, answer: Answer, error: Exception | None) -> None:
        landed, self._landed = self._landed, None
        flights, self._flying = self._flying, []
        if landed is None:
            return
        if error is not None or len(answer.rows) != len(flights):
            landed(flights, error or answer)
            return
        self._failures = 0
        landed(flights, None)

    def confirm(self, flights: list[Flight]) -> None:
        """Settle a group whose launch ended well."""
        for flight in flights:
            self._committed(flight)

    async def resume(self, flights: list[Flight], found: Answer | Exception) -> list[Flight]:
        """Go on with a group whose launch ended otherwise than well; see `commit`."""
        busy: list[Flight] = []
        if isinstance(found, Exception):
            if not isinstance(found, DRIVER_ERRORS):
                raise found
            flights = await self._after_error(found, flights, busy, sent=True)
        elif isinstance(self._connection, WireConnection):
            rows = self._connection.rows(self._statement, found)
            self._failures = 0
            flights = await self._after_answer(rows, flights, busy)
        return busy + await self.commit(flights)

    async def commit(self, flights: list[Flight]) -> list[Flight]:
        """Commit a group; returns those whose rows are locked by somebody else."""
        busy: list[Flight] = []
        while flights:
            sent = False
            try:
                connection = await self._connected()
                if _is_long(flights):
                    call = partial(self._calls.call, self._worker_id, flights)
                    sql, arguments = await asyncio.to_thread(call)
                else:
                    sql, arguments = self._calls.call(self._worker_id, flights)
                sent = True
                answer = await connection.fetch(sql, *arguments)
            except DRIVER_ERRORS as error:
                flights = await self._after_error(error, flights, busy, sent=sent)
            else:
                self._failures = 0
                flights = await self._after_answer(answer, flights, busy)
        return busy

    async def _connected(self) -> CommitConnection:
        connection = self._connection
        if connection is None or connection.closed:
            self._drop()
            connection = self._connection = await open_for_commits(
                self._target, session=SESSION, keep_waiting=self._lease.holds
            )
        return connection

    async def _after_answer(
        self, answer: Sequence[Row | asyncpg.Record], flights: list[Flight], busy: list[Flight]
    ) -> list[Flight]:
        """Settle what was committed; returns what must be sent again at once."""
        if len(answer) == len(flights):
            for flight in flights:
                self._committed(flight)
            return []
        fenced = {row["object_id"] for row in answer}
        missing: list[Flight] = []
        for flight in flights:
            if flight.batch.object_id.uuid in fenced:
                self._committed(flight)
            else:
                missing.append(flight)
        return await self._sort_out(missing, busy)

    async def _sort_out(self, missing: list[Flight], busy: list[Flight]) -> list[Flight]:
        """Tell the lost from the busy; returns what must be sent again at once."""
        objects = [flight.batch.object_id.uuid for flight in missing]
        try:
            connection = await self._connected()
            states = {row["object_id"]: row for row in await connection.fetch(STATE, objects)}
        except DRIVER_ERRORS as error:
            # Nothing of these was applied by the statement that was answered: send it again.
            return missing if await self._pause(missing, error) else []
        again: list[Flight] = []
        for flight in missing:
            state = states.get(flight.batch.object_id.uuid)
            if (
                state is None
                or state["epoch"] != flight.batch.epoch
                or state["worker_id"] != self._worker_id
            ):
                self._lost(flight)
            elif state["commit_seq"] == flight.number:
                self._busy(flight, state["oldest"], busy)
            elif flight.doubtful and state["commit_seq"] > flight.number:
                flight.applied = True
                flight.number = CommitSeq(state["commit_seq"])
                again.append(flight)
            else:
                self._lost(flight)
        return again

    def _busy(self, flight: Flight, oldest: int, busy: list[Flight]) -> None:
        """Nothing but a lock stood in the way; or the state that is to come back is gone."""
        restore = flight.batch.restore
        if restore is not None and restore < oldest and not flight.applied:
            outcome = CommitOutcome(CommitResult.REFUSED, flight.number, BookmarkExpired())
            self._settle(flight, outcome)
            return
        flight.tries += 1
        busy.append(flight)

    async def _after_error(
        self, error: Exception, flights: list[Flight], busy: list[Flight], *, sent: bool
    ) -> list[Flight]:
        """Decide what an error means for the group; returns what must be sent again."""
        if not sent:  # it was the connecting that failed
            return flights if await self._pause(flights, error) else []
        fault = classify(error)
        if fault is Fault.STALE and self._failures == 0:
            self._failures += 1
            self._drop()
            return flights
        if fault in (Fault.ROWS, Fault.STALE):
            return await self._halve(error, flights, busy)
        if fault is Fault.LINK:
            for flight in flights:
                flight.doubtful = True
        return flights if await self._pause(flights, error) else []

    async def _halve(
        self, error: Exception, flights: list[Flight], busy: list[Flight]
    ) -> list[Flight]:
        if len(flights) == 1:
            (flight,) = flights
            reason = translated(error)
            reason.__cause__ = error
            _log.warning("commit_refused", object=str(flight.batch.object_id), reason=label(error))
            outcome = CommitOutcome(CommitResult.REFUSED, flight.batch.expected, reason)
            self._settle(flight, outcome)
            return []
        middle = len(flights) // 2
        busy += await self.commit(flights[:middle])
        return flights[middle:]

    async def _pause(self, flights: list[Flight], error: Exception) -> bool:
        """Wait before the next try; False, and the flights settled, when the lease is over."""
        if classify(error) in NEW_CONNECTION:
            self._drop()
        if self._failures:
            seconds = _FIRST_PAUSE_SECONDS * 2 ** min(self._failures - 1, 10)
            await self._clock.sleep(min(seconds, _LONGEST_PAUSE_SECONDS))
        self._failures += 1
        if self._lease.holds():
            return True
        _log.warning("commits_unavailable", rooms=len(flights), reason=label(error))
        for flight in flights:
            reason = StoreUnavailable("the lease ended before the database answered")
            reason.__cause__ = error
            outcome = CommitOutcome(CommitResult.UNAVAILABLE, flight.batch.expected, reason)
            self._settle(flight, outcome)
        return False

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    def _committed(self, flight: Flight) -> None:
        if flight.batch.restore is not None and flight.doubtful and not flight.applied:
            # What was committed is the empty commit that settles it: no copy can follow.
            reason = StoreUnavailable("the rows were not restored in time; nothing was changed")
            self._settle(flight, CommitOutcome(CommitResult.REFUSED, flight.number, reason))
            return
        number = CommitSeq(flight.number + 1)
        self._settle(flight, CommitOutcome(CommitResult.COMMITTED, number))

    def _lost(self, flight: Flight) -> None:
        outcome = CommitOutcome(CommitResult.LOST, flight.batch.expected, OwnershipLost())
        self._settle(flight, outcome)


def _is_long(flights: Sequence[Flight]) -> bool:
    return sum(len(flight.batch.entries) for flight in flights) > _LONG_ROWS
