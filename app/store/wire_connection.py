"""A connection to Postgres for commits alone: the socket of asyncpg, and our own protocol on it.

asyncpg logs in (all that passwords, hosts and settings need), then its transport is given to us.
It saves a codec for each value and a task that is woken for each answer; what that comes to is in
decision 35. An answer is handed on in the very call that the event loop makes for what arrived
(`submit`), or awaited (`fetch`).

What stays as with `DriverConnection`: deadlines, the question whether to go on waiting, errors
of the driver's own classes, a commit that is not replicated as asked for is no commit. A
connection that is lost before the answer is complete has one error, whatever the server said
before it went: nobody knows what became of the statement.
"""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from typing import Any, Final

import asyncpg

from .driver import (
    CLOSE_SECONDS,
    STANDBY_WAIT,
    TICK_SECONDS,
    ConnectTarget,
    DriverConnection,
    Pooler,
)
from .wire import TERMINATE, Answer, Row, Statement, prepare

Done = Callable[[Answer, Exception | None], None]
"""Told the end of a statement, once: the answer, or what went wrong."""


_LONG_ARRAY: Final = 8_000
"""With more elements than that a call is put into bytes beside the event loop."""


class WireConnection(asyncio.Protocol):
    """See the module. Not for two statements at once.

    Cancelling a `fetch` drops the connection.

    Args:
        raw: A fresh connection. It is ours from now on.
        target: Where it leads.
        keep_waiting: See `DriverConnection.open`.
    """

    def __init__(
        self,
        raw: "asyncpg.Connection[asyncpg.Record]",
        target: ConnectTarget,
        *,
        keep_waiting: Callable[[], bool] | None = None,
    ) -> None:
        self._transport = _transport_of(raw)
        self._before = self._transport.get_protocol()
        self._raw = raw  # asyncpg warns of a connection that vanishes while it is open
        self._hosts = target.hosts
        self._generation = target.hosts.generation
        self._keep_waiting = keep_waiting
        self._statement_seconds = target.statement_seconds
        self._tick_seconds = min(TICK_SECONDS, target.statement_seconds)
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._waited = 0.0
        self._expired = False
        self._lost = False
        self._statements: dict[str, Statement] = {}
        self._numbers = itertools.count()  # a name is used once, also when it came to nothing
        self._answer = Answer()
        self._done: Done | None = None
        self._transport.set_protocol(self)
        # What is written leaves at once, not at the end of the event loop's turn: the server
        # begins while this process is still busy with the turn.
        self._transport.set_write_buffer_limits(high=0)

    @property
    def closed(self) -> bool:
        """Whether the connection is gone, or leads to a host that is not used any more."""
        return self._lost or self._generation != self._hosts.generation

    async def fetch(self, sql: str, *arguments: Any) -> list[Row]:
        """See `DriverConnection.fetch`."""
        statement = self._statements.get(sql)
        if statement is None:
            name = f"stateroom_{next(self._numbers)}"
            statement = Statement(name, await self._answered(prepare(name, sql)))
            self._statements[sql] = statement
        if any(isinstance(each, list) and len(each) > _LONG_ARRAY for each in arguments):
            data = await asyncio.to_thread(statement.call, arguments)
        else:
            data = statement.call(arguments)
        answer = await self._answered(data)
        return [statement.row(raw) for raw in answer.rows]

    def submit(self, sql: str, arguments: tuple[Any, ...], done: Done) -> bool:
        """Run a statement that is prepared; False, and nothing is done, where that cannot be.

        `done` is called when the answer is there, from the event loop's call for what arrived.

        Raises:
            ValueError: A value does not fit its parameter.
        """
        statement = self._statements.get(sql)
        if statement is None or self._done is not None or self.closed:
            return False
        self._send(statement.call(arguments), done)
        return True

    def rows(self, sql: str, answer: Answer) -> list[Row]:
        """The rows of an answer to a statement that was submitted."""
        return [self._statements[sql].row(raw) for raw in answer.rows]

    def abandon(self) -> None:
        """Drop the connection; whoever waits for a statement is not told any more."""
        self._done = None
        self.terminate()

    def terminate(self) -> None:
        """Drop the connection at once."""
        self._lost = True
        self._transport.abort()

    async def close(self) -> None:
        """Say goodbye to the server; drop the connection if that takes long."""
        if not self._lost and self._done is None:
            self._lost = True
            self._transport.write(TERMINATE)
            self._transport.close()
            await asyncio.wait([self._ended], timeout=CLOSE_SECONDS)
        self.terminate()

    async def _answered(self, data: bytes) -> Answer:
        if self._lost:
            raise asyncpg.InterfaceError("connection is closed")
        if self._done is not None:
            raise asyncpg.InterfaceError("another statement is under way")
        waiter: asyncio.Future[Answer] = self._loop.create_future()

        def done(answer: Answer, error: Exception | None) -> None:
            if waiter.done():
                return
            if error is None:
                waiter.set_result(answer)
            else:
                waiter.set_exception(error)

        self._send(data, done)
        try:
            return await waiter
        except asyncio.CancelledError:
            self.terminate()
            self._hosts.doubt()
            raise

    def _send(self, data: bytes, done: Done) -> None:
        self._answer = Answer()
        self._done = done
        if self._timer is None:
            self._waited = 0.0
            self._timer = self._loop.call_later(self._tick_seconds, self._tick)
        else:  # set for an earlier statement: it is early for this one
            self._waited = -self._tick_seconds
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        answer = self._answer
        try:
            if not answer.feed(data):
                return
        except asyncpg.ProtocolError:
            self.terminate()
            return
        self._answer = Answer()
        done, self._done = self._done, None
        if done is None:
            return
        error: Exception | None = None
        if answer.error is not None:
            error = asyncpg.PostgresError.new(answer.error)
        elif answer.notices and self._warned(answer.notices):
            self.terminate()
            error = asyncpg.InterfaceError("the wait for the standby was given up")
        done(answer, error)

    def _warned(self, notices: list[dict[str, str]]) -> bool:
        """See `DriverConnection`: whether the commit was not replicated as was asked for."""
        return any(notice.get("R") == STANDBY_WAIT for notice in notices)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._lost = True
        self._before.connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._ended.done():
            self._ended.set_result(None)
        done, self._done = self._done, None
        if done is None:
            return
        error: Exception
        if self._expired:
            error = TimeoutError("no answer in time")
        else:
            error = asyncpg.ConnectionDoesNotExistError("the connection was closed unexpectedly")
        error.__cause__ = exc
        done(self._answer, error)

    def _tick(self) -> None:
        self._timer = None
        if self._done is None:
            return
        self._waited += self._tick_seconds
        patient = self._waited < self._statement_seconds
        if patient and (self._keep_waiting is None or self._keep_waiting()):
            self._timer = self._loop.call_later(self._tick_seconds, self._tick)
            return
        self._expired = True
        self._hosts.doubt()
        self.terminate()


def _transport_of(raw: "asyncpg.Connection[asyncpg.Record]") -> asyncio.Transport:
    """The one thing that is asked of the driver's inside; the tests of commits stand on it."""
    inside: Any = raw
    transport: asyncio.Transport = inside._transport  # noqa: SLF001 - there is no other door
    return transport


CommitConnection = DriverConnection | WireConnection


async def open_for_commits(
    target: ConnectTarget,
    *,
    session: Mapping[str, str],
    keep_waiting: Callable[[], bool],
) -> CommitConnection:
    """Connect, in the cheapest way that the target allows; raises what the driver raises.

    A pooler may hand each statement to another server process, and then no statement stays
    prepared; encryption is the driver's business. Both keep the driver.
    """
    if target.pooler is not Pooler.NONE:
        return await DriverConnection.open(target, session=session, keep_waiting=keep_waiting)
    raw = await target.connect_raw(session)
    if _transport_of(raw).get_extra_info("ssl_object") is not None:
        return DriverConnection(raw, target, keep_waiting=keep_waiting)
    return WireConnection(raw, target, keep_waiting=keep_waiting)
