"""The event loop of one room: one event at a time, each all or nothing.

A plain hook of a room with nothing waiting runs inline, in the very call that brought the event.
Everything else goes through the mailbox and one task, the pump, which lives only while events
wait.
"""

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Any, Protocol

from ..core.errors import EventTimedOut, ObjectFault, RoomAborted, StateroomError
from ..core.tasks import TaskOwner
from .context import InstanceAborted
from .instance import finish
from .mailbox import Event, Mailbox

_EVENTS_BETWEEN_BREATHS = 64


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

    def drained(self) -> None:
        """An event has left the mailbox."""
        ...


class Turn(Enum):
    """Whether an event runs at the moment."""

    FREE = auto()
    TAKEN = auto()


class EventLoop:
    """See the module.

    Args:
        mailbox: Where events wait.
        tasks: Owner of the pump.
        timeout_seconds: The longest a hook may take.
    """

    _host: EventHost

    def __init__(self, mailbox: Mailbox, tasks: TaskOwner, *, timeout_seconds: float) -> None:
        self._mailbox = mailbox
        self._tasks = tasks
        self._timeout = timeout_seconds
        self._turn = Turn.FREE
        self._idle: asyncio.Event = asyncio.Event()
        self._idle.set()
        self._stopped = False

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

    async def join(self) -> None:
        """Wait until no event runs or waits."""
        await self._idle.wait()

    def submit(self, event: Event, *, always: bool = False) -> None:
        """Queue an event.

        Raises:
            Overloaded: The mailbox is full.
        """
        self._mailbox.put(event, always=always)
        if self._turn is Turn.FREE:
            self._start_pump(None, None)

    def run_inline(self, event_hook: Callable[..., Any], *arguments: Any) -> Exception | None:
        """Run a plain hook now; only when `free`. Returns what it raised.

        When the hook turns out to return something to await, the pump takes it from there.
        """
        self._turn = Turn.TAKEN
        try:
            result = event_hook(*arguments)
        except Exception as error:  # noqa: BLE001 - the author's code may raise anything
            self._turn = Turn.FREE
            self._host.undo(error)
            return error
        except InstanceAborted as error:
            self._turn = Turn.FREE
            self._host.abort(_aborted(error))
            return None
        if result is not None:
            self._start_pump(result, None)
            return None
        self._turn = Turn.FREE
        self._host.finish_unit()
        return None

    def stop(self, error: Exception) -> None:
        """Fail every waiting event; the running one is left to end by itself."""
        self._stopped = True
        for event in self._mailbox.drain():
            event.fail(error)

    def _start_pump(self, first: Awaitable[Any] | None, event: Event | None) -> None:
        self._turn = Turn.TAKEN
        self._idle.clear()
        self._tasks.start(self._pump(first, event), name="events")

    async def _pump(self, first: Awaitable[Any] | None, event: Event | None) -> None:
        try:
            if first is not None:
                await self._guard(_constant(first), event)
            count = 0
            while self._mailbox and not self._stopped:
                current = self._mailbox.take()
                self._host.drained()
                await self._run(current)
                count += 1
                if count % _EVENTS_BETWEEN_BREATHS == 0:
                    await _breathe()
        finally:
            self._turn = Turn.FREE
            self._idle.set()

    async def _run(self, event: Event) -> None:
        try:
            instance = await self._host.ready()
        except Exception as error:  # noqa: BLE001 - whatever it is, the event has failed
            event.fail(error)
            return
        await self._guard(lambda: event.hook(instance), event)

    async def _guard(self, call: Callable[[], Any], event: Event | None) -> None:
        """Run one hook to its end, and end its unit one way or the other."""
        deadline = asyncio.timeout(self._timeout)
        try:
            async with deadline:
                await finish(call())
        except InstanceAborted as error:
            self._host.abort(_aborted(error))
        except Exception as error:  # noqa: BLE001 - the author's code may raise anything
            fault = EventTimedOut() if deadline.expired() else error
            self._host.undo(fault)
            if event is not None:
                event.fail(fault)
        else:
            if not self._stopped:
                self._host.finish_unit()


def _constant(result: Awaitable[Any]) -> Callable[[], Awaitable[Any]]:
    return lambda: result


def _aborted(error: InstanceAborted) -> StateroomError:
    return RoomAborted(str(error))


async def _breathe() -> None:
    """Let other rooms run."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, None)
    await future


def as_fault(error: Exception) -> StateroomError:
    """The error that others are told when author's code raised: its class and text, no trace."""
    if isinstance(error, StateroomError):
        return error
    return ObjectFault(f"{type(error).__name__}: {error}")
