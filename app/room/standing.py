"""Where the code that runs now stands: behind which gate of its room, and who drives it.

It is kept in a ContextVar, so what the code calls knows it, and tasks that it starts inherit it.
Such tasks are driven by asyncio, not by us: they stand behind the same gate, but only what they
await of the sdk heeds it.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from .input_gate import InputGate
from .mailbox import Event


class Walker:
    """A task whose code we drive from one await to the next; see `stepping`.

    Attributes:
        task: The task.
        holds: How many holds it has itself: with one it goes on although the gate is closed.
    """

    __slots__ = ("_kept", "holds", "task")

    def __init__(self, task: "asyncio.Task[object]") -> None:
        self.task = task
        self.holds = 0
        self._kept: list[InputGate] = []

    def keep(self, gate: InputGate) -> None:
        """A hold is over, and its gate stays as it is until the step is."""
        self.holds -= 1
        self._kept.append(gate)

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
    """

    root: InputGate
    gate: InputGate
    walker: Walker | None = None


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
        walker = None
    return Standing(root, here.gate.place, walker)


class Hold:
    """A hold on the gate where some code stands, for the time that it waits.

    Args:
        here: Where it stands.
    """

    __slots__ = ("_gate", "_walker")

    def __init__(self, here: Standing) -> None:
        self._gate = here.gate
        self._walker = here.walker
        self._gate.hold()
        if self._walker is not None:
            self._walker.holds += 1

    def release(self) -> None:
        """The code goes on. Nobody else passes before its step is over, and it may hold again."""
        if self._walker is not None:
            self._walker.keep(self._gate)
            return
        try:
            asyncio.get_running_loop().call_soon(self._gate.release)
        except RuntimeError:  # the loop has ended, and the code is only cleared away
            self._gate.release()


@contextmanager
def holding(root: InputGate) -> Iterator[None]:
    """Keep everything else of the object from running while this code waits for storage."""
    hold = Hold(standing_in(root))
    try:
        yield
    finally:
        hold.release()
