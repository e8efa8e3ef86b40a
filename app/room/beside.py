"""Code of an author that goes on beside the events of its object.

It is driven like an event that interleaves, in every class (`stepping`): between two awaits it
runs between events, in its turn, and what it does there is a unit of its own. Nothing else of the
object runs while it waits for storage, or is in a section.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from .input_gate import InputGate
from .standing import Standing, Walker, running_event, standing
from .stepping import Stepped


class Beside:
    """See the module.

    Args:
        gate: The room's gate.
        step_over: Called after each step.
        failed: Called in place of that when a step has raised, where that is to undo it.
    """

    __slots__ = ("_failed", "gate", "step_over")

    def __init__(
        self,
        gate: InputGate,
        step_over: Callable[[], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self.gate = gate
        self.step_over = step_over
        self._failed = failed

    async def run(
        self,
        work: Coroutine[Any, Any, Any],
        *,
        failing: Callable[[Exception], None] | None = None,
    ) -> Any:
        """Run a coroutine to its end, in a task of its own that calls this.

        Raises what the code raises, and InstanceAborted when the room is over. The step that
        raises ends as an event would, after `failing` was told; without that it is kept.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - says so to mypy
        walker = Walker(task)
        standing.set(Standing(self.gate, self.gate, walker))
        running_event.set(None)

        def failed(error: Exception) -> None:
            if failing is None:
                self.step_over()
            else:
                failing(error)
                self._failed(error)

        return await Stepped(
            work,
            root=self.gate,
            walker=walker,
            step_over=self.step_over,
            failed=failed,
            passed=False,
        )
