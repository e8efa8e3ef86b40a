"""When to look again: at most one pending timer for each thing that is looked after."""

from collections.abc import Awaitable
from dataclasses import dataclass

from ..sdk import Timer
from ..sdk.context import Callback, Context

_GRACE_SECONDS = 0.001


@dataclass(slots=True)
class _Wake:
    due: float
    timer: Timer


class Timetable:
    """Timers of one room instance, by the function they call.

    Args:
        ctx: Gives timers and the time.
    """

    __slots__ = ("_ctx", "_wakes")

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._wakes: dict[str, _Wake] = {}

    def now(self) -> float:
        """The time that deadlines are told in."""
        return self._ctx.monotonic()

    def wake_at(self, due: float, callback: Callback) -> None:
        """Call `callback` at an instant of `ctx.monotonic`, or earlier if that was asked for."""
        name = callback.__qualname__
        planned = self._wakes.get(name)
        if planned is not None:
            if planned.due <= due:
                return
            planned.timer.cancel()

        def run() -> Awaitable[None] | None:
            del self._wakes[name]
            return callback()

        wait = due - self._ctx.monotonic() + _GRACE_SECONDS
        self._wakes[name] = _Wake(due, self._ctx.call_later(wait, run))
