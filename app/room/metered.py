"""Times a task of a room: how long its steps keep the thread, and how long it takes in all.

Whatever the work waits for is handed up as it is, so that nothing else changes for it. It stands
between the task and the work's own coroutine, and is no coroutine function: a task that is
cancelled before its first step must reach the work, or that would never be closed.
"""

from collections.abc import Callable, Coroutine, Generator
from typing import Any

from ..core.clock import busy_ns
from .meter import Meter


class Metered(Coroutine[Any, Any, Any]):
    """See the module. Given to a task; it returns or raises what the work does.

    Args:
        work: The coroutine.
        meter: Its times are added to `cpu_ns` and `wall_ns`.
    """

    __slots__ = ("_begun", "_meter", "_work")

    def __init__(self, work: Coroutine[Any, Any, Any], meter: Meter) -> None:
        self._work = work
        self._meter = meter
        self._begun = -1

    def send(self, value: Any, /) -> Any:
        """Run the next step."""
        return self._step(self._work.send, value)

    def throw(self, *error: Any) -> Any:
        """Run the next step with an error."""
        return self._step(self._work.throw, *error)

    def close(self) -> None:
        """End it where it is."""
        self._work.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        """Not timed: it is made for tasks, which drive it themselves."""
        return self._work.__await__()

    def _step(self, step: Callable[..., Any], *given: Any) -> Any:
        meter, begun = self._meter, busy_ns()
        if self._begun < 0:
            self._begun = begun
        over = True
        try:
            awaited = step(*given)
            over = False
        finally:
            now = busy_ns()
            meter.cpu_ns += now - begun
            if over:  # it has raised, StopIteration if it has ended well
                meter.wall_ns += now - self._begun
        return awaited
