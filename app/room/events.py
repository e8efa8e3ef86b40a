"""The event loop of one room: one event at a time, each all or nothing.

A plain hook of a room with nothing waiting runs inline, in the very call that brought the event.
Everything else goes through the mailbox and one task, the pump, which lives only while events
wait. The pump has the room's gate locked, so what the object does between its events runs between
them, in its turn.
"""

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Final, Protocol

from ..core.clock import Clock
from ..core.errors import EventTimedOut, QueuedTooLong, RoomAborted, SectionTimedOut, StateroomError
from ..core.flag import Flag
from ..core.tasks import TaskOwner
from ..core.workshop import breathe
from .connections import RoomConnection
from .event_ends import EventEnds
from .faults import InstanceAborted, as_blamed
from .hooks import run_hook
from .input_gate import InputGate
from .mailbox import Event, Mailbox
from .meter import Meter
from .metered import Metered
from .sections import Sections
from .standing import Standing, running_event, standing

_EVENTS_BETWEEN_BREATHS = 8
_TURN_SECONDS = 0.005
"""A room with much to do lets the others run after so many events, or after this time."""

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

    async def rows_ready(self) -> Any:
        """Return the instance if there is one, else None; the rows are loaded.

        Raises:
            StateroomError: They could not be.
        """
        ...

    def abort(self, error: StateroomError) -> None:
        """Throw the room away."""
        ...

    def restart(self) -> None:
        """An event was undone, and the instance is gone."""
        ...

    def drained(self) -> None:
        """An event has left the mailbox."""
        ...


class Turn(Enum):
    """Whether an event runs at the moment, waits for the gate to open, or none ever will."""

    FREE = auto()
    WAITING = auto()
    TAKEN = auto()
    OVER = auto()


class Intake(Enum):
    """OPEN takes events. CLOSING takes none, and runs those that wait. STOPPED runs none."""

    OPEN = auto()
    CLOSING = auto()
    STOPPED = auto()


_FREE: Final = Turn.FREE
_TAKEN: Final = Turn.TAKEN
_OPEN: Final = Intake.OPEN
"""As names of their own: a look-up in an enum costs as much as a call."""


_FIELDS: Final = (
    "_clock",
    "_ends",
    "_gate",
    "_host",
    "_idle",
    "_intake",
    "_mailbox",
    "_meter",
    "_sections",
    "_tasks",
    "_timeout",
    "_turn",
    "allowed_seconds",
    "count",
    "current",
    "message_timeout_seconds",
    "running",
)


class EventLoop:
    """See the module.

    Args:
        mailbox: Where events wait.
        tasks: Owner of the pump.
        clock: Measures the room's turns.
        gate: The room's gate.
        meter: Counts what they cost.
        timeout_seconds: The longest a hook may take.
    """

    __slots__ = _FIELDS

    _host: EventHost
    _ends: EventEnds
    _sections: Sections
    __deletable__ = ["_ends", "_host", "_sections"]  # noqa: RUF012 - so that mypyc lets go of them

    def __init__(
        self,
        mailbox: Mailbox,
        tasks: TaskOwner,
        clock: Clock,
        gate: InputGate,
        meter: Meter,
        *,
        timeout_seconds: float,
    ) -> None:
        self._mailbox = mailbox
        self._tasks = tasks
        self._clock = clock
        self._gate = gate
        self._meter = meter
        self._timeout = timeout_seconds
        self._turn = Turn.FREE
        self.running = False
        """Whether code of the author runs or waits at the moment: the turn is taken."""
        self._idle = Flag(up=True)
        self._intake = Intake.OPEN
        self.current: Event | None = None
        """The event that runs now, if it came through the mailbox."""
        self.count = 0
        """See `RoomEvents.count`: how many have ended."""
        self.allowed_seconds = 2 * timeout_seconds
        """How long the event that runs may take, with the start of an instance before it."""
        self.message_timeout_seconds: float | None = None
        """How long the event of a socket's message may take, where that is not as long as any."""

    def serve(self, host: EventHost, ends: EventEnds, sections: Sections) -> None:
        """Say whose events they are; once, before the first one."""
        self._host = host
        self._ends = ends
        self._sections = sections

    def retire(self) -> None:
        """They are stopped, and whose they were need not be held for them."""
        del self._host, self._ends, self._sections

    @property
    def free(self) -> bool:
        """Whether an event could run inline now."""
        return self._turn is _FREE and not self._mailbox.events and not self._gate.locks

    @property
    def quiet(self) -> bool:
        """Whether no event runs or waits."""
        return self._turn is Turn.FREE and not self._mailbox

    @property
    def mark(self) -> int | None:
        """How many events have ended, while one runs or waits."""
        return self.count if self._turn is Turn.TAKEN or self._mailbox else None

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
            self._wait_for_turn()

    def run_inline(
        self,
        hook: Callable[[RoomConnection, str | bytes], Any],
        connection: RoomConnection,
        message: str | bytes,
    ) -> bool:
        """See `RoomEvents.run_inline`.

        When the hook turns out to return something to await, the pump takes it from there.
        """
        meter = self._meter
        if self._turn is not _FREE or self._mailbox.events or self._gate.locks or meter.refusing:
            return False
        size_bytes = len(message)
        begun = meter.begin(size_bytes)
        self._turn = _TAKEN
        self.running = True
        try:
            result = hook(connection, message)
            if result is None and not self._gate.locks:
                self._turn = _FREE
                self.running = False
                self.count += 1
                self._ends.well()
            else:
                self._gate.lock()
                self._start_pump(lambda: result, self._turning_away(connection))
        except InstanceAborted as error:
            self._aborted(error)
        except BaseException as error:  # noqa: BLE001 - author's code, which may even raise SystemExit
            self._turn = _FREE
            self.running = False
            fault = as_blamed(error)
            self._undo(fault)
            self._ends.refuse(connection, fault)
        if begun:
            meter.end(begun, size_bytes)
        if self._intake is not _OPEN:
            self._rest()
        return True

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
        if self._turn is not Turn.TAKEN:
            self._turn = Turn.OVER
        self._idle.set()
        for event in self._mailbox.drain():
            event.fail(error)
        self._gate.break_(error)

    def _rest(self) -> None:
        """No event runs any more."""
        self.running = False
        self._turn = Turn.FREE if self._intake is Intake.OPEN else Turn.OVER

    def _wait_for_turn(self) -> None:
        """Let the pump run when the gate is open."""
        self._turn = Turn.WAITING
        self._idle.clear()
        self._gate.enter(lambda: self._start_pump(None, _ignore), _ignore)

    def _start_pump(self, first: Callable[[], Any] | None, fail: Failing) -> None:
        """Let the pump run now; the gate has been locked for it."""
        self._turn = _TAKEN
        self.running = True
        self._idle.clear()
        self._tasks.start(Metered(self._pump(first, fail), self._meter), name="events")

    async def _pump(self, first: Callable[[], Any] | None, fail: Failing) -> None:
        gate = self._gate
        standing.set(Standing(gate, gate))
        try:
            if first is not None:
                self._take_up(Event(_ignore, fail=fail))
                await self._guard(first, fail, self.message_timeout_seconds)
                self.current = None
                self.count += 1
            clock = self._clock
            count, turn_ends = 0, clock.monotonic() + _TURN_SECONDS
            while self._mailbox and not gate.waiting:
                current = self._mailbox.take()
                self._host.drained()
                self._take_up(current)
                self.allowed_seconds = self._timeout + (current.timeout_seconds or self._timeout)
                await self._run(current)
                self.current = None
                self.count += 1
                self._meter.events += 1
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
            if self._mailbox and self._intake is not Intake.STOPPED:
                self._wait_for_turn()  # after those who wait at the gate
            else:
                self._idle.set()
            gate.unlock()

    def _take_up(self, event: Event) -> None:
        self.current = event
        running_event.set(event)

    async def _run(self, event: Event) -> None:
        if event.good_until is not None and event.good_until < self._clock.monotonic():
            event.fail(QueuedTooLong())
            return
        try:
            instance = await (self._host.rows_ready() if event.bare else self._host.ready())
        except Exception as error:  # noqa: BLE001 - whatever it is, the event has failed
            event.fail(error)
            return
        await self._guard(lambda: event.hook(instance), event.fail, event.timeout_seconds)

    async def _guard(
        self, hook: Callable[[], Any], fail: Failing, timeout_seconds: float | None = None
    ) -> None:
        """Run one hook to its end, and end its unit one way or the other."""
        try:
            seconds = timeout_seconds or self._timeout
            await run_hook(hook, timeout_seconds=seconds)
            if self._gate.sections:
                await run_hook(self._sections_over, timeout_seconds=seconds)
            if self._intake is not Intake.STOPPED:
                self._ends.well()
        except InstanceAborted as error:
            self._aborted(error)
        except Exception as error:  # noqa: BLE001 - the author's code may raise anything
            if isinstance(error, EventTimedOut) and self._gate.sections:
                self._host.abort(SectionTimedOut())  # which has taken as long as it may, or nearly
            elif self._intake is not Intake.STOPPED:
                self._undo(error)
            fail(error)

    async def _sections_over(self) -> None:
        await self._sections.over(self._gate)

    def step_failed(self, error: Exception) -> None:
        """See `RoomEvents.step_failed`."""
        if self._intake is not Intake.STOPPED:
            self._undo(error)

    def _undo(self, error: Exception) -> None:
        self._ends.undone(error)
        self._host.restart()

    def _turning_away(self, connection: RoomConnection) -> Failing:
        return lambda error: self._ends.refuse(connection, error)

    def _aborted(self, error: InstanceAborted) -> None:
        self._host.abort(RoomAborted(str(error)))


def _ignore(_error: Exception) -> None:
    """Nobody waits for this."""
