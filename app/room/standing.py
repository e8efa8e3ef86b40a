"""Where the code that runs now stands: behind which gate of its room, and who drives it.

It is kept in a ContextVar, so what the code calls knows it, and tasks that it starts inherit it.
Such tasks are driven by asyncio, not by us: they stand behind the same gate, but only what they
await of the sdk heeds it. They help the code that started them: what they read for it (`gather`)
keeps the gate shut until it could go on with that.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple

from .input_gate import InputGate
from .mailbox import Event

_TURNS: Final = 4
"""In so many turns of the loop the end of a task has come to who awaits it, by way of a group."""


class Walker:
    """A task whose code we drive from one await to the next; see `stepping`.

    Attributes:
        task: The task.
        holds: How many holds it has itself: with one it goes on although the gate is closed.
        helpers: How many holds the tasks that it started have.
        asked: How many reads this step has asked for and not begun to await.
    """

    __slots__ = ("_kept", "asked", "helpers", "holds", "task")

    def __init__(self, task: "asyncio.Task[object]") -> None:
        self.task = task
        self.holds = 0
        self.helpers = 0
        self.asked = 0
        self._kept: list[InputGate] = []

    def keep(self, gate: InputGate) -> None:
        """A hold is over, and its gate stays as it is until the step is."""
        self.holds -= 1
        self._kept.append(gate)

    def may_pass(self, gate: InputGate) -> bool:
        """Whether nothing but reads that are made for its code keep the gate shut."""
        return bool(self.helpers) and self.helpers == gate.holds and not gate.sections

    def let_go(self) -> None:
        """The step is over."""
        while self._kept:
            self._kept.pop(0).release()


class Standing(NamedTuple):
    """See the module.

    Attributes:
        root: The room's gate, by which rooms are told apart.
        gate: The gate behind which the code stands; its `place` is where it stands by now.
        walker: Who drives it, if we do.
        helped: Who drives the code that started the task of this code, if it is another one.
    """

    root: InputGate
    gate: InputGate
    walker: Walker | None = None
    helped: Walker | None = None


standing: ContextVar[Standing | None] = ContextVar("standing", default=None)
"""Where this code stands; None or another room's when nobody has said so."""

running_event: ContextVar[Event | None] = ContextVar("running_event", default=None)
"""The queued event that this code belongs to; tasks that it starts inherit it."""


def standing_in(root: InputGate) -> Standing:
    """Where this code stands in a room; before its own gate unless it was said otherwise.

    The walker is given only to the code of its own task.
    """
    here = standing.get()
    if here is None or here.root is not root:
        return Standing(root, root)
    walker = here.walker
    if walker is not None and walker.task is not asyncio.current_task():
        return Standing(root, here.gate.place, None, walker)
    return Standing(root, here.gate.place, walker)


class Hold:
    """A hold on the gate where some code stands, for the time that it waits.

    Args:
        here: Where it stands.
    """

    __slots__ = ("_gate", "_helped", "_walker")

    def __init__(self, here: Standing) -> None:
        self._gate = here.gate
        self._walker = here.walker
        self._helped = here.helped
        if self._helped is not None:
            self._helped.helpers += 1
        self._gate.hold()
        if self._walker is not None:
            self._walker.holds += 1

    def release(self) -> None:
        """The code goes on. Nobody else passes before its step is over, and it may hold again.

        Nor before the code that it helps goes on, where that awaits it by usual ways.
        """
        if self._walker is not None:
            self._walker.keep(self._gate)
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # the loop has ended, and the code is only cleared away
            self._end()
        else:
            self._end_after(loop, 1 if self._helped is None else _TURNS)

    def _end_after(self, loop: asyncio.AbstractEventLoop, turns: int) -> None:
        if turns:
            loop.call_soon(self._end_after, loop, turns - 1)
        else:
            self._end()

    def _end(self) -> None:
        if self._helped is not None:
            self._helped.helpers -= 1
        self._gate.release()


def ask(root: InputGate) -> bool:
    """Code asks for a read, and may leave it to a task that it starts to await it.

    Between the step and that task nobody passes. Costs code that is not driven next to nothing.
    Returns whether it is noted, and `begin` is due when the read is awaited.
    """
    here = standing.get()
    if here is None or here.walker is None or here.root is not root:
        return False
    if here.walker.task is asyncio.current_task():
        here.walker.asked += 1
        return True
    _linger(here.walker, here.gate.place)
    return False


def begin(root: InputGate) -> None:
    """The read is awaited."""
    here = standing.get()
    if here is None or here.walker is None or here.root is not root:
        return
    if here.walker.asked and here.walker.task is asyncio.current_task():
        here.walker.asked -= 1


def step_over(walker: Walker, root: InputGate) -> None:
    """The code waits: whatever it asked for and does not await itself is begun by others."""
    if walker.asked:
        walker.asked = 0
        _linger(walker, standing_in(root).gate)


def _linger(walker: Walker, gate: InputGate) -> None:
    Hold(Standing(gate, gate, None, walker)).release()


@contextmanager
def holding(root: InputGate) -> Iterator[None]:
    """Keep everything else of the object from running while this code waits for storage."""
    hold = Hold(standing_in(root))
    try:
        yield
    finally:
        hold.release()
