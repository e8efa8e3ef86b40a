"""The events of a room whose class says `interleave`: several at once, by the input gate's rules.

Each event is a task of its own, which runs from one await to the next (`stepping`). An event
starts, and goes on after an await, only while the gate is open; so none of them sees another one
between its own reads and writes of storage, and all of them may run while one waits for anything
else. They start in the order they came; at most so many run, the others wait in the mailbox.

Here an event that raises has failed, and nothing more: what it did before stays done, and the
instance lives on. Only a start is all or nothing, as it is elsewhere.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from ..core.clock import Clock
from ..core.errors import QueuedTooLong, RoomAborted
from ..core.flag import Flag
from ..core.tasks import TaskOwner
from .connections import RoomConnection
from .event_ends import EventEnds
from .events import EventHost, Intake
from .faults import InstanceAborted, as_blamed
from .hooks import finish, run_hook
from .input_gate import InputGate
from .mailbox import Event, Mailbox
from .meter import Meter
from .metered import Metered
from .sections import Sections
from .standing import Standing, Walker, running_event, standing, standing_in
from .stepping import Stepped
from .transaction_open import TransactionOpen


class InterleavingLoop:
    """See the module. It has the face that `room_events` says.

    Args:
        mailbox: Where events wait to start.
        tasks: Owner of the events' tasks.
        clock: Tells which events are too old.
        gate: The room's gate.
        meter: Counts what they cost.
        timeout_seconds: The longest a hook may take.
        most_running: So many events run at once.
    """

    _host: EventHost
    _ends: EventEnds
    _sections: Sections

    def __init__(
        self,
        mailbox: Mailbox,
        tasks: TaskOwner,
        clock: Clock,
        gate: InputGate,
        meter: Meter,
        *,
        timeout_seconds: float,
        most_running: int,
    ) -> None:
        self._mailbox, self._tasks, self._clock = mailbox, tasks, clock
        self._gate, self._meter = gate, meter
        self._timeout = timeout_seconds
        self._most_running = most_running
        self._intake = Intake.OPEN
        self._running: dict[Event, int] = {}  # by number, so the oldest is the first
        self.count = 0
        self._tickets = 0
        self.running = False
        """See `RoomEvents.running`: a start, or a plain hook that runs inline."""
        self._farewell: Event | None = None
        self._idle = Flag(up=True)
        self.current: Event | None = None
        """The event that an instance is started for, while it is."""
        self.message_timeout_seconds: float | None = None

    def serve(self, host: EventHost, ends: EventEnds, sections: Sections) -> None:
        """Say whose events they are; once, before the first one."""
        self._host, self._ends, self._sections = host, ends, sections

    def retire(self) -> None:
        """See `EventLoop.retire`."""
        del self._host, self._ends, self._sections

    @property
    def free(self) -> bool:
        """See `RoomEvents.free`."""
        return not self._gate.locks and not self._mailbox and self._intake is Intake.OPEN

    @property
    def quiet(self) -> bool:
        """See `RoomEvents.quiet`."""
        return self._idle.is_set()

    @property
    def mark(self) -> int | None:
        """See `RoomEvents.mark`: the number of the oldest event that runs."""
        if self._running:
            return next(iter(self._running.values()))
        return self.count if self._mailbox else None

    @property
    def allowed_seconds(self) -> float:
        """See `RoomEvents.allowed_seconds`."""
        oldest = next(iter(self._running), None)
        own = oldest.timeout_seconds if oldest is not None else None
        return self._timeout + (own or self._timeout)

    def limit_messages(self, seconds: float | None) -> None:
        """See `RoomEvents.limit_messages`."""
        self.message_timeout_seconds = seconds

    async def join(self) -> None:
        """See `RoomEvents.join`."""
        await self._idle.wait()

    def submit(self, event: Event, *, always: bool = False, uncounted: bool = False) -> None:
        """See `RoomEvents.submit`."""
        if self._intake is not Intake.OPEN:
            raise RoomAborted
        self._mailbox.put(event, always=always, uncounted=uncounted)
        self._idle.clear()
        self._let_in()

    def run_inline(
        self,
        hook: Callable[[RoomConnection, str | bytes], Any],
        connection: RoomConnection,
        message: str | bytes,
    ) -> bool:
        """See `RoomEvents.run_inline`; what returns something to await becomes an event."""
        if self._meter.refusing or not self.free:
            return False
        begun = self._meter.begin(len(message))
        self.running, self.count = True, self.count + 1
        self._gate.lock()
        try:
            try:
                result = hook(connection, message)
            finally:
                self.running = False
        except InstanceAborted as error:
            self._host.abort(RoomAborted(str(error)))
        except BaseException as error:  # noqa: BLE001 - author's code, which may even raise SystemExit
            fault = as_blamed(error)
            self._ends.kept(fault)
            self._ends.refuse(connection, fault)
        else:
            if result is not None or self._gate.sections:
                self._take_up(
                    Event(
                        lambda _instance: result,
                        fail=lambda error: self._ends.refuse(connection, error),
                        timeout_seconds=self.message_timeout_seconds,
                    )
                )
        self._ends.step()
        self._gate.unlock()
        self._meter.end(begun, len(message))
        return True

    def close(self, farewell: Event | None) -> None:
        """See `RoomEvents.close`."""
        self._intake = Intake.CLOSING
        self._farewell = farewell
        if farewell is not None:
            self._idle.clear()
            self._rest()

    def stop(self, error: Exception) -> None:
        """See `RoomEvents.stop`. The code of those that run is unwound when it would go on."""
        self._intake = Intake.STOPPED
        self._farewell = None
        self._idle.set()
        for event in self._mailbox.drain():
            event.fail(error)
        self._gate.break_(error)

    def step_failed(self, error: Exception) -> None:
        """See `RoomEvents.step_failed`: it is kept."""
        self._ends.step()
        if self._intake is not Intake.STOPPED:
            self._ends.kept(error)

    def _let_in(self) -> None:
        """Let as many events of the mailbox as may run wait at the gate."""
        while (
            self._tickets < len(self._mailbox)
            and self._tickets + len(self._running) < self._most_running
        ):
            self._tickets += 1
            self._gate.enter(self._begin, _ignore)

    def _begin(self) -> None:
        """The oldest event of the mailbox has passed the gate."""
        self._tickets -= 1
        self._meter.events += 1
        event = self._mailbox.take()
        self._host.drained()
        self._start(event)

    def _take_up(self, event: Event) -> None:
        """Run an event that has begun inline: the gate is open."""
        self._idle.clear()
        self._gate.lock()
        self._start(event)

    def _start(self, event: Event) -> None:
        self.count += 1
        self._running[event] = self.count
        self._tasks.start(Metered(self._run(event), self._meter), name="event")

    def _rest(self) -> None:
        """An event is over: let others in, or say that there are none."""
        self._let_in()
        if self._running or self._mailbox:
            return
        farewell, self._farewell = self._farewell, None
        if farewell is None:
            self._idle.set()
        else:
            self._mailbox.put(farewell, always=True)
            self._let_in()

    async def _run(self, event: Event) -> None:
        """Run one event, from the start of an instance, if there is none, to its end."""
        locked = True
        standing.set(Standing(self._gate, self._gate))
        try:
            hook = await self._ready(event)
            if hook is not None:
                locked = False  # the first step gives the lock back
                await self._guard(hook, event)
        except asyncio.CancelledError:
            # The worker stops without waiting for the event.
            self._host.abort(RoomAborted())
            raise
        finally:
            if locked:
                self._gate.unlock()
            del self._running[event]
            if self._intake is not Intake.STOPPED:
                self._rest()

    async def _ready(self, event: Event) -> Callable[[], Any] | None:
        """What is to be run; None when the event has failed before it began."""
        if event.good_until is not None and event.good_until < self._clock.monotonic():
            event.fail(QueuedTooLong())
            return None
        self.running, self.current = True, event
        running_event.set(event)
        try:
            instance = await (self._host.rows_ready() if event.bare else self._host.ready())
        except Exception as error:  # noqa: BLE001 - whatever it is, the event has failed
            event.fail(error)
            return None
        finally:
            self.running, self.current = False, None
            running_event.set(None)
            self._ends.step()
        return lambda: event.hook(instance)

    async def _guard(self, hook: Callable[[], Any], event: Event) -> None:
        """Run one hook to its end."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - says so to mypy
        walker = Walker(task)
        standing.set(Standing(self._gate, self._gate, walker))

        async def work() -> None:
            try:
                await finish(hook())
                await self._sections.over(self._gate)
            finally:
                self._close_transactions()

        stepped = Stepped(
            work(), root=self._gate, walker=walker, step_over=self._ends.step, passed=True
        )
        try:
            await run_hook(lambda: stepped, timeout_seconds=event.timeout_seconds or self._timeout)
        except InstanceAborted as error:
            self._host.abort(RoomAborted(str(error)))
        except Exception as error:  # noqa: BLE001 - the author's code may raise anything
            if self._intake is not Intake.STOPPED:
                self._ends.kept(error)
            event.fail(error)

    def _close_transactions(self) -> None:
        """An event must not leave a transaction open: nothing else could ever run."""
        here = standing_in(self._gate)
        if here.gate is not self._gate:
            self._sections.abandon(here.gate)
            self._ends.unfinished()
            raise TransactionOpen("the event has left a transaction open")


def _ignore(_error: Exception) -> None:
    """The room is over: all that waits in its mailbox is told."""
