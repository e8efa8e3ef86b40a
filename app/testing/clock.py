"""Time that only moves when a test says so."""

import asyncio
import heapq
from collections.abc import Callable
from itertools import count


class FakeTimer:
    """A pending call of a `FakeClock`."""

    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """See `core.clock.Timer`."""
        self.callback = None


class FakeClock:
    """Twin of `core.clock.SystemClock`, driven by exactly one test.

    Args:
        start: What `monotonic` says at first, in seconds.
        moved: Told what `monotonic` says after each `advance`.
    """

    def __init__(
        self, start: float = 1_000.0, *, moved: Callable[[float], None] = lambda _now: None
    ) -> None:
        self._now = start
        self._moved = moved
        self._timers: list[tuple[float, int, FakeTimer]] = []
        self._order = count()

    def monotonic(self) -> float:
        """See `core.clock.Clock`."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """See `core.clock.Clock`; ends when the test has advanced far enough."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not done.done():
                done.set_result(None)

        timer = self.call_later(seconds, wake)
        try:
            await done
        finally:
            timer.cancel()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> FakeTimer:
        """See `core.clock.Clock`."""
        timer = FakeTimer(self._now + seconds, callback)
        heapq.heappush(self._timers, (timer.due, next(self._order), timer))
        return timer

    @property
    def pending(self) -> int:
        """How many calls wait for their time."""
        return sum(timer.callback is not None for _, _, timer in self._timers)

    def advance(self, seconds: float) -> None:
        """Let time pass; what falls due runs in order, at its own instant."""
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end:
            due, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, due)
            if timer.callback is not None:
                timer.callback()
        self._now = end
        self._moved(end)
