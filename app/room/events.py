"""The event loop of one room: one event at a time, each all or nothing.

A plain hook of a room with nothing waiting runs inline, in the very call that brought the event.
Everything else goes through the mailbox and one task, the pump, which lives only while events
wait.
"""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from enum import Enum, auto
from typing import Any, Protocol

from ..core.clock import Clock
from ..core.errors import ObjectFault, QueuedTooLong, RoomAborted, StateroomError
from ..core.tasks import TaskOwner
from ..core.workshop import breathe
from .connections import RoomConnection
from .context import InstanceAborted
from .instance import run_hook
from .mailbox import Event, Mailbox

_EVENTS_BETWEEN_BREATHS = 8
_TURN_SECONDS = 0.005
"""A room with much to do lets the others run after so many events, or after this time."""

running_event: ContextVar[Event | None] = ContextVar("running_event", default=None)
"""The queued event that this code belongs to; tasks that it starts inherit it."""

Failing = Callable[[Exception], None]
"""Told when an event could not be run or its hook raised."""


class EventHost(Protocol):
    """What the event loop asks of its room."""

    async def ready(self) -> Any:
        """Return the instance, making it first if there is none.

        Raises:
            StateroomError: It could not be made.
        """
        ...

    def finish_unit(self) -> None:
        """The event ended well."""
        ...

    def undo(self, error: Exception) -> None:
        """The event raised: undo its unit and drop the instance."""
        ...

    def abort(self, error: StateroomError) -> None:
        """Throw the room away."""
        ...

    def turn_away(self, connection: RoomConnection, error: Exception) -> None:
        """The message of this client could not be handled: close its socket."""
        ...

    def drained(self) -> None:
        """An event has left the mailbox."""
        ...


class Turn(Enum):
    """Whether an event runs at the moment, or none ever will."""

    FREE = auto()
    TAKEN = auto()
    OVER = auto()


class Intake(Enum):
    """OPEN takes events. CLOSING takes none, and runs those that wait. STOPPED runs none."""

    OPEN = auto()
    CLOSING = auto()
    STOPPED = auto()


class EventLoop:
    """See the module.

    Args:
        mailbox: Where events wait.
        tasks: Owner of the pump.
        clock: Measures the room's turns.
        timeout_seconds: The longest a hook may take.
    """

    _host: EventHost

    def __init__(
        self, mailbox: Mailbox, tasks: TaskOwner, clock: Clock, *, timeout_seconds: float
    ) -> None:
        self._mailbox = mailbox
        self._tasks = tasks
        self._clock = clock
        self._timeout = timeout_seconds
        self._turn = Turn.FREE
        self._idle: asyncio.Event = asyncio.Event()
        self._idle.set()
        self._intake = Intake.OPEN
        self.current: Event | None = None
        """The event that runs now, if it came through the mailbox."""
        self.ended = 0
        """How many events have ended, of those that did not run inline to their end."""
        self.allowed_seconds = 2 * timeout_seconds
        """How long the event that runs may take, with the start of an instance before it."""
        self.message_timeout_seconds: float | None = None
        """How long the event of a socket's message may take, where that is not as long as any."""

    def serve(self, host: EventHost) -> None:
        """Say whose events they are; once, before the first one."""
        self._host = host

    @property
    def free(self) -> bool:
        """Whether an event could run inline now."""
        return self._turn is Turn.FREE and not self._mailbox

    @property
    def running(self) -> bool:
        """Whether code of the author runs or waits at the moment."""
        return self._turn is Turn.TAKEN

    def limit_messages(self, seconds: float | None) -> None:
        """Let the messages that come from now on take so long; None as long as any event."""
        self.message_timeout_seconds = seconds

    async def join(self) -> None:
        """Wait until no event runs or waits, or they are stopped and nobody waits for them."""
        await self._idle.wait()

    def submit(self, event: Event, *, always: bool = False, uncounted: bool = False) -> None:
        """Queue an event; see `Mailbox.put`.

        Raises:
            QueueFull, QueueTooLarge: The mailbox is full.
            RoomAborted: No more events are taken.
        """
        if self._intake is not Intake.OPEN:
            raise RoomAborted
        self._mailbox.put(event, always=always, uncounted=uncounted)
        if self._turn is Turn.FREE:
            self._start_pump(None, _ignore)

    def run_inline(
        self,
        hook: Callable[[RoomConnection, str | bytes], Any],
        connection: RoomConnection,
        message: str | bytes,
    ) -> None:
        """Run a plain message hook now; only when `free`. Raises nothing of the author's.

        When the hook turns out to return something to await, the pump takes it from there.
        """
        self._turn = Turn.TAKEN
        try:
            result = hook(connection, message)
            if result is None:
                self._turn = Turn.FREE
                self._host.finish_unit()
            else:
                self._start_pump(lambda: result, _turning_away(self._host, connection))
        except InstanceAborted as error:
            self._aborted(error)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - author's code
            self._turn = Turn.FREE
            fault = _blamed(error)
            self._host.undo(fault)
            self._host.turn_away(connection, fault)
        if self._intake is not Intake.OPEN:
            self._rest()

    def close(self, farewell: Event | None) -> None:
        """Take no more events; those that wait are still run, and the farewell as the last."""
        if farewell is not None:
            self.submit(farewell, always=True)
        self._intake = Intake.CLOSING
        if self._turn is Turn.FREE:
            self._turn = Turn.OVER

    def stop(self, error: Exception) -> None:
        """Fail every waiting event and take no more; the running one is left to end by itself."""
        self._intake = Intake.STOPPED
        if self._turn is Turn.FREE:
            self._turn = Turn.OVER
        self._idle.set()
        for event in self._mailbox.drain():
            event.fail(error)

    def _rest(self) -> None:
        """No event runs any more."""
        self._turn = Turn.FREE if self._intake is Intake.OPEN else Turn.OVER

    def _start_pump(self, first: Callable[[], Any] | None, fail: Failing) -> None:
        self._turn = Turn.TAKEN
        self._idle.clear()
        self._tasks.start(self._pump(first, fail), name="events")

    async def _pump(self, first: Callable[[], Any] | None, fail: Failing) -> None:
        try:
            if first is not None:
                self._take_up(Event(_ignore, fail=fail))
                await self._guard(first, fail, self.message_timeout_seconds)
                self.current = None
                self.ended += 1
            clock = self._clock
            count, turn_ends = 0, clock.monotonic() + _TURN_SECONDS
            while self._mailbox:
                current = self._mailbox.take()
                self._host.drained()
                self._take_up(current)
                self.allowed_seconds = self._timeout + (current.timeout_seconds or self._timeout)
                await self._run(current)
                self.current = None
                self.ended += 1
                count += 1
                if count >= _EVENTS_BETWEEN_BREATHS or clock.monotonic() >= turn_ends:
                    await breathe()
                    count, turn_ends = 0, clock.monotonic() + _TURN_SECONDS
        except asyncio.CancelledError:
            # The worker stops without waiting for the event: what it did must not be kept.
            self._host.abort(RoomAborted())
            raise
        finally:
            self.current = None
            self._rest()
            self._idle.set()

    def _take_up(self, event: Event) -> None:
        self.current = event
        running_event.set(event)

    async def _run(self, event: Event) -> None:
        if event.good_until is not None and event.good_until < self._clock.monotonic():
            event.fail(QueuedTooLong())
            return
        try:
            instance = await self._host.ready()
        except Exception as error:  # noqa: BLE001 - whatever it is, the event has failed
            event.fail(error)
            return
        await self._guard(lambda: event.hook(instance), event.fail, event.timeout_seconds)

    async def _guard(
        self, hook: Callable[[], Any], fail: Failing, timeout_seconds: float | None = None
    ) -> None:
        """Run one hook to its end, and end its unit one way or the other."""
        try:
            await run_hook(hook, timeout_seconds=timeout_seconds or self._timeout)
            if self._intake is not Intake.STOPPED:
                self._host.finish_unit()
        except InstanceAborted as error:
            self._aborted(error)
        except Exception as error:  # noqa: BLE001 - the author's code may raise anything
            if self._intake is not Intake.STOPPED:
                self._host.undo(error)
            fail(error)

    def _aborted(self, error: InstanceAborted) -> None:
        self._host.abort(RoomAborted(str(error)))


def _turning_away(host: EventHost, connection: RoomConnection) -> Failing:
    return lambda error: host.turn_away(connection, error)


def _ignore(_error: Exception) -> None:
    """Nobody waits for this."""


def _blamed(error: BaseException) -> Exception:
    """What a plain hook raised; a cancelled future's error is an error of the hook like others."""
    if isinstance(error, Exception):
        return error
    fault = ObjectFault("what the hook asked for was cancelled")
    fault.__cause__ = error
    return fault
