"""The critical sections of one room: code of the author that nothing else interleaves with.

`block_concurrency_while` runs a callback as one, in a task of its own; a transaction makes one of
the code inside it. What waits for a section goes on before anybody who waits to pass the gate.

A section of a callback that does not end well resets the room, whoever awaits it: what it was
about to set up is not there. So does every section that takes too long. One that the instance
does not live to see the end of is unwound, and changes nothing any more.
(reference: durable-objects, section 3)
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any, Generic, TypeVar

from ..core.clock import Clock, Timer
from ..core.errors import RoomAborted, SectionTimedOut, StateroomError
from ..core.limits import SECTION_SECONDS
from ..core.tasks import TaskOwner
from .faults import InstanceAborted, as_blamed, as_fault, as_raised
from .hooks import finish
from .input_gate import InputGate, Section, SectionState
from .standing import Hold, Standing, Walker, standing, standing_in
from .stepping import Stepped

ResultT = TypeVar("ResultT")


class Sections:
    """See the module.

    Args:
        gate: The room's gate.
        tasks: Owner of the callbacks' tasks.
        clock: For the limit.
        abort: Throws the room away.
        step_over: Called after each step of code that is driven.
        driven: Whether all of the author's code is driven (`interleave`); if not, only what is
            begun by code that is.
    """

    __slots__ = ("_abort", "_clock", "_driven", "_open", "_step_over", "_tasks", "gate")

    def __init__(
        self,
        gate: InputGate,
        *,
        tasks: TaskOwner,
        clock: Clock,
        abort: Callable[[StateroomError], None],
        step_over: Callable[[], None],
        driven: bool,
    ) -> None:
        self.gate = gate
        self._tasks = tasks
        self._clock = clock
        self._abort = abort
        self._step_over = step_over
        self._driven = driven
        self._open: dict[Section, _OpenSection] = {}

    def run(self, callback: Callable[[], Awaitable[ResultT]]) -> "SectionResult[ResultT]":
        """Close the gate at once, and run a callback as a section when it is its turn.

        Raises:
            SectionTooDeep: They are nested too deep; nothing has happened.
        """
        here = standing_in(self.gate)
        driven = self._driven or _walker() is not None
        result: SectionResult[ResultT] = SectionResult(here)
        context = copy_context()

        def start(section: Section) -> None:
            work = self._perform(section, callback, result, driven=driven)
            task = context.run(self._tasks.start, work, name="section")
            self._open[section] = _OpenSection(task.cancel, self._limit(), task)

        section = here.gate.begin_section(start)
        self._open.setdefault(section, _OpenSection(result.give_up))
        return result

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Make the code inside a section, from its turn on.

        Raises:
            SectionTooDeep: They are nested too deep.
            RoomAborted: The instance is over before it is its turn.
        """
        before = standing.get()
        here = standing_in(self.gate)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def start(section: Section) -> None:
            self._open[section] = _OpenSection(_nothing, self._limit())
            _wake(turn)

        section = here.gate.begin_section(start)
        self._open.setdefault(section, _OpenSection(lambda: _wake(turn)))
        standing.set(Standing(self.gate, section, _walker()))
        try:
            if not turn.done():
                await turn
            if section.state is SectionState.OVER:
                raise RoomAborted
            yield
            await self.over(section)
        finally:
            standing.set(before)
            hold = Hold(standing_in(self.gate))  # what follows in this step is not overtaken
            self._end(section)
            hold.release()

    async def over(self, gate: InputGate) -> None:
        """Wait until the callbacks that run as sections of a gate are over.

        Raises:
            InstanceAborted: One of them has reset the room.
        """
        while tasks := [
            opened.task
            for section in gate.sections
            if (opened := self._open.get(section)) is not None and opened.task is not None
        ]:
            await asyncio.wait(tasks)
        if gate.broken is not None:
            raise InstanceAborted(str(gate.broken))

    def abandon(self, gate: InputGate) -> None:
        """The code that stood in a section has ended and has left it open."""
        while isinstance(gate, Section):
            self._end(gate)
            gate = gate.place

    def end_all(self) -> None:
        """The instance is over."""
        for section in list(self._open):
            if (opened := self._open.get(section)) is not None:
                self._end(section)
                opened.cancel()

    async def _perform(
        self,
        section: Section,
        callback: Callable[[], Awaitable[ResultT]],
        result: "SectionResult[ResultT]",
        *,
        driven: bool,
    ) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - says so to mypy
        walker = Walker(task) if driven else None
        standing.set(Standing(self.gate, section, walker))

        async def work() -> ResultT:
            value: ResultT = await finish(callback())
            await self.over(section)
            return value

        try:
            value = await (work() if walker is None else self._drive(work(), walker))
        except BaseException as error:
            self._fail(section, result, as_raised(error))
            if isinstance(error, asyncio.CancelledError):
                raise
        else:
            result.pass_on()
            self._end(section)
            result.resolve(value)

    def _drive(self, work: Any, walker: Walker) -> Awaitable[Any]:
        return Stepped(work, root=self.gate, walker=walker, step_over=self._step_over, passed=False)

    def _fail(self, section: Section, result: "SectionResult[Any]", error: BaseException) -> None:
        if section.state is SectionState.OVER:  # the instance was
            result.give_up()
            return
        if isinstance(error, InstanceAborted):
            fault: StateroomError = RoomAborted(str(error))
        else:
            fault = as_fault(as_blamed(error))
        fault.reset = True
        self._abort(fault)
        result.give_up()

    def _end(self, section: Section) -> None:
        for ended in section.end():
            opened = self._open.pop(ended, None)
            if opened is not None and opened.limit is not None:
                opened.limit.cancel()
            if opened is not None and ended is not section:
                opened.cancel()

    def _limit(self) -> Timer:
        return self._clock.call_later(SECTION_SECONDS, lambda: self._abort(SectionTimedOut()))


class _OpenSection:
    """One that is not over: how to call it off, its limit and its task, once it has them."""

    __slots__ = ("cancel", "limit", "task")

    def __init__(
        self,
        cancel: Callable[[], object],
        limit: Timer | None = None,
        task: "asyncio.Task[None] | None" = None,
    ) -> None:
        self.cancel = cancel
        self.limit = limit
        self.task = task


class SectionResult(Generic[ResultT]):
    """What a callback that runs as a section will return; to be awaited, or left alone.

    Who awaits it goes on before anybody else passes the gate. When the section resets the room,
    who awaits it is unwound, and never sees the reason.

    Args:
        here: Where the section was begun.
    """

    __slots__ = ("_awaiting", "_done", "_root")

    def __init__(self, here: Standing) -> None:
        self._root = here.root
        self._done: asyncio.Future[tuple[ResultT] | None] = (
            asyncio.get_running_loop().create_future()
        )
        self._awaiting: dict[_Awaiting, None] = {}

    def __await__(self) -> Generator[Any, None, ResultT]:
        if not self._done.done():
            mine = _Awaiting(standing_in(self._root))
            self._awaiting[mine] = None
            try:
                yield from asyncio.shield(self._done).__await__()
            finally:
                self._awaiting.pop(mine, None)
                mine.go_on()
        result = self._done.result()
        if result is None:
            broken = self._root.broken
            raise InstanceAborted("the instance is over" if broken is None else str(broken))
        return result[0]

    def pass_on(self) -> None:
        """The section is about to be over: who awaits it has the gate next."""
        for awaiting in self._awaiting:
            awaiting.take_hold()

    def resolve(self, value: ResultT) -> None:
        """It ended well."""
        self._done.set_result((value,))

    def give_up(self) -> None:
        """It did not end well, or will never run."""
        if not self._done.done():
            self._done.set_result(None)


class _Awaiting:
    """Code that awaits the result of a section."""

    __slots__ = ("_here", "_hold")

    def __init__(self, here: Standing) -> None:
        self._here = here
        self._hold: Hold | None = None

    def take_hold(self) -> None:
        self._hold = Hold(self._here)

    def go_on(self) -> None:
        if self._hold is not None:
            self._hold.release()


def _walker() -> Walker | None:
    """Who drives this code, or the code that started its task."""
    here = standing.get()
    return None if here is None else here.walker


def _nothing() -> None:
    """Code that is inside a section itself is told by what it calls next."""


def _wake(turn: "asyncio.Future[None]") -> None:
    if not turn.done():
        turn.set_result(None)
