"""Questions to an instance: events whose result leaves through the gate, as a send would.

Whoever asks waits for a future. It is answered when every write that the answer could reveal is
committed, and fails when the event or the room does.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ..sdk.durable_object import DurableObject
from .events import as_fault
from .instance import finish
from .outputs import Release
from .unit import RunningUnit


class Submit(Protocol):
    """Queues an event."""

    def __call__(
        self,
        hook: Callable[[Any], Awaitable[Any] | Any],
        *,
        fail: Callable[[Exception], None],
        size_bytes: int = 0,
    ) -> None:
        """`fail` is told when the event could not be run or raised."""
        ...


class Asking:
    """The open questions of one room.

    Args:
        unit: Where answers are staged.
        submit: Queues events.
    """

    def __init__(self, unit: RunningUnit, submit: Submit) -> None:
        self._unit = unit
        self._submit = submit
        self._answers: set[asyncio.Future[Any]] = set()

    async def ask(self, hook: Callable[[Any], Awaitable[Any] | Any], *, size_bytes: int = 0) -> Any:
        """Run a hook as an event and return its result. Cancelling leaves the event to run.

        Raises:
            StateroomError: The event could not be run, raised, or was not committed.
        """
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        async def run(instance: DurableObject) -> None:
            result = await finish(hook(instance))
            self._unit.stage(Release(lambda: _resolve(answer, result)))

        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)
        self._submit(run, size_bytes=size_bytes, fail=_failing(answer))
        return await answer

    def fail_all(self, error: Exception) -> None:
        """Nobody will be answered any more."""
        for answer in list(self._answers):
            _failing(answer)(error)


def _resolve(answer: "asyncio.Future[Any]", result: Any) -> None:
    if not answer.done():
        answer.set_result(result)


def _failing(answer: "asyncio.Future[Any]") -> Callable[[Exception], None]:
    def fail(error: Exception) -> None:
        if not answer.done():
            answer.set_exception(as_fault(error))
            answer.exception()  # a caller that is gone must not be reported as unread

    return fail
