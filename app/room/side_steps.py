"""Code of an author that goes on beside the events of its object, step by step.

It is a coroutine in a task of its own. What it does between two awaits is a step, and every step
is an event: it waits its turn in the mailbox like any other, nothing else of the object runs
meanwhile, and it is a unit of its own. What the code waits for is handed up to asyncio as it is;
the object serves others until that wait is over.

When the instance is over there are no more turns. The code is then told by a cancellation, and
unwinds outside of events, where nothing of the object can be reached any more.
"""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any

from ..sdk.durable_object import DurableObject
from .asking import Asking, Question


class SideSteps:
    """See the module. To be awaited once, by the task that is to run the code.

    Args:
        work: The coroutine.
        asking: Queues its turns.
    """

    def __init__(self, work: Coroutine[Any, Any, Any], asking: Asking) -> None:
        self._work = work
        self._asking = asking
        self._over = False
        self._told = False
        self._granted: asyncio.Future[None] | None = None
        self._refusal: BaseException | None = None
        self._wake: asyncio.Future[None] | None = None

    def end_instance(self) -> None:
        """There are no more turns."""
        self._over = True
        self._stir()

    def __await__(self) -> Generator[Any, Any, Any]:
        error: BaseException | None = None
        try:
            while True:
                error = yield from self._turn(error)
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
        finally:
            self._over = True
            self._end_turn(None)
            self._work.close()  # it has ended, unless nobody will ever let it go on

    def _step(self, error: BaseException | None) -> Any:
        """Run the code up to its next await; returns what it waits for."""
        try:
            awaited = self._work.send(None) if error is None else self._work.throw(error)
        except StopIteration:
            self._end_turn(None)
            raise
        except Exception as raised:
            self._end_turn(raised)
            raise
        except BaseException:
            self._end_turn(None)
            raise
        self._end_turn(None)
        return awaited

    def _turn(self, error: BaseException | None) -> Generator[Any, Any, BaseException | None]:
        """Wait for a turn; returns the error that the code goes on with, if any.

        Being cancelled meanwhile is such an error, and that there are no more turns another.
        """
        if self._over:
            return self._tell(error)
        self._refusal = None
        self._asking.put(self._run_turn, ended=self._asked, always=True)
        while self._must_wait():
            self._wake = asyncio.get_running_loop().create_future()
            try:
                yield from self._wake
            except asyncio.CancelledError as cancelled:
                error = cancelled
        if self._granted is None:
            self._over = True
            return self._tell(error)
        return error

    def _must_wait(self) -> bool:
        return self._granted is None and self._refusal is None and not self._over

    def _tell(self, error: BaseException | None) -> BaseException | None:
        """The code is told once that there are no more turns; then it unwinds as it likes."""
        if self._told:
            return error
        self._told = True
        return error or asyncio.CancelledError()

    async def _run_turn(self, _instance: DurableObject) -> None:
        """The event of one step."""
        if self._over:
            return
        self._granted = asyncio.get_running_loop().create_future()
        self._stir()
        await self._granted

    def _asked(self, question: Question) -> None:
        """The event is over, or there will be none."""
        if self._granted is None and not question.answer.cancelled():
            self._refusal = question.answer.exception()
            self._stir()

    def _end_turn(self, error: Exception | None) -> None:
        granted, self._granted = self._granted, None
        if granted is not None and not granted.done():
            if error is None:
                granted.set_result(None)
            else:
                granted.set_exception(error)

    def _stir(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
