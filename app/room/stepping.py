"""The driver of an author's code: it goes on after an await only when the gate lets it.

The code is a coroutine; between two awaits it runs a step. Whatever it waits for is handed up to
asyncio as it is, so every library works, and none needs to know of gates. When the wait is over
and the gate behind which the code stands is closed, it waits for its turn there as well. Errors
and cancellations come through the gate like results; when the gate breaks, the code is unwound.

Each step is a unit: what it wrote and said is finished when it is over.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any

from .faults import InstanceAborted, as_raised
from .input_gate import InputGate
from .standing import Walker, standing_in, step_over


class Stepped:
    """Something to await: a coroutine, step by step, in the task that awaits it.

    Args:
        work: The coroutine.
        root: The room's gate.
        walker: The task's.
        step_over: Called after each step.
        failed: Called in place of that when the step has raised, if given.
        passed: The gate has let the first step pass; its lock is given back after it.
    """

    def __init__(
        self,
        work: Coroutine[Any, Any, Any],
        *,
        root: InputGate,
        walker: Walker,
        step_over: Callable[[], None],
        passed: bool,
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        self._work = work
        self._root = root
        self._walker = walker
        self._step_over = step_over
        self._failed = failed
        self._lock: InputGate | None = root if passed else None
        self._first_passes = not passed
        self._refusal: Exception | None = None
        self._turn: asyncio.Future[None] | None = None

    def __await__(self) -> Generator[Any, Any, Any]:
        try:
            error = (yield from self._pass(None)) if self._first_passes else None
            while True:
                try:
                    awaited = self._step(error)
                except StopIteration as end:
                    return end.value
                error = None
                try:
                    yield awaited
                except GeneratorExit:
                    raise
                except BaseException as thrown:  # noqa: BLE001 - it is handed to the code
                    error = thrown
                error = yield from self._pass(error)
        finally:
            self._work.close()  # it has ended, unless nobody will ever let it go on

    def _step(self, error: BaseException | None) -> Any:
        """Run the code up to its next await; returns what it waits for."""
        over = self._step_over
        try:
            return self._work.send(None) if error is None else self._work.throw(error)
        except StopIteration:
            raise
        except BaseException as error_of_step:
            raised = as_raised(error_of_step)
            if self._failed is not None and isinstance(raised, Exception):
                over = partial(self._failed, raised)
            if raised is error_of_step:
                raise
            raise raised from error_of_step
        finally:
            try:
                over()
            finally:
                step_over(self._walker, self._root)
                self._give_back()

    def _pass(self, error: BaseException | None) -> Generator[Any, Any, BaseException | None]:
        """Wait until the code may go on; returns the error that it goes on with, if any.

        Being cancelled meanwhile is such an error.
        """
        gate = standing_in(self._root).gate
        if gate.broken is not None:
            return InstanceAborted(str(gate.broken))
        if self._walker.holds:
            return error
        if self._walker.may_pass(gate):
            gate.lock()
            self._lock = gate
            return error
        ticket = gate.enter(lambda: self._admit(gate), self._refuse)
        try:
            while self._lock is None and self._refusal is None:
                self._turn = asyncio.get_running_loop().create_future()
                try:
                    yield from self._turn
                except asyncio.CancelledError as cancelled:
                    error = cancelled
        except GeneratorExit:
            if ticket is not None:
                ticket.cancel()
            self._give_back()
            raise
        return error if self._refusal is None else InstanceAborted(str(self._refusal))

    def _admit(self, gate: InputGate) -> None:
        self._lock = gate
        self._wake()

    def _refuse(self, error: Exception) -> None:
        self._refusal = error
        self._wake()

    def _wake(self) -> None:
        if self._turn is not None and not self._turn.done():
            self._turn.set_result(None)

    def _give_back(self) -> None:
        lock, self._lock = self._lock, None
        self._walker.let_go()
        if lock is not None:
            lock.unlock()
