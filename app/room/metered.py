"""Times a task of a room: how long its steps keep the thread, and how long it takes in all.

Whatever the work waits for is handed up as it is, so that nothing else changes for it.
"""

from collections.abc import Coroutine, Generator
from typing import Any

from ..core.clock import busy_ns
from .meter import Meter


class _Timed:
    """Something to await: the work, step by step."""

    __slots__ = ("_meter", "_work")

    def __init__(self, work: Coroutine[Any, Any, Any], meter: Meter) -> None:
        self._work = work
        self._meter = meter

    def __await__(self) -> Generator[Any, Any, Any]:
        work, meter = self._work, self._meter
        error: BaseException | None = None
        while True:
            begun = busy_ns()
            try:
                awaited = work.send(None) if error is None else work.throw(error)
            except StopIteration as end:
                return end.value
            finally:
                meter.cpu_ns += busy_ns() - begun
            error = None
            try:
                yield awaited
            except GeneratorExit:
                work.close()
                raise
            except BaseException as raised:  # noqa: BLE001 - the work is told whatever it is
                error = raised


async def metered(work: Coroutine[Any, Any, Any], meter: Meter) -> Any:
    """Run `work` in this task and return its result, or raise what it raises."""
    begun = busy_ns()
    try:
        return await _Timed(work, meter)
    finally:
        meter.wall_ns += busy_ns() - begun
