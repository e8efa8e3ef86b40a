"""Time: the only home of clocks and sleeping.

Three kinds of time are kept apart. `Clock.monotonic` counts through suspension of the machine,
so a lease deadline is over after a laptop slept. `DatabaseClock` is the one wall time that all
workers share: the database's, estimated from heartbeats and never going back (architecture,
section 8: a worker whose own clock is wrong by an hour changes nothing). The machine's own wall
clock is used for log lines, and by the doctor, which compares it.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol


class Timer(Protocol):
    """A pending call."""

    def cancel(self) -> None:
        """Forget the call; harmless when it has already run."""
        ...


class Clock(Protocol):
    """What the engine asks of time. Twin for tests: `app.testing.clock.FakeClock`."""

    def monotonic(self) -> float:
        """Seconds since some fixed instant, running through suspension."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; cancelling is safe."""
        ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` on the event loop after `seconds`."""
        ...


class SystemClock:
    """The machine's clocks. CLOCK_BOOTTIME where there is one, for it counts suspension."""

    def __init__(self) -> None:
        self._clock_id = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        self._gettime = time.clock_gettime

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return self._gettime(self._clock_id)

    async def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        await asyncio.sleep(seconds)  # noqa: TID251 - this is its home

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """See `Clock.call_later`."""
        return asyncio.get_running_loop().call_later(seconds, callback)


busy_ns: Final = time.perf_counter_ns
"""Nanoseconds since some instant: for the time that a stretch of code keeps the thread. The clock
of the thread's own CPU time costs ten times as much to read."""


def wall_seconds() -> float:
    """Seconds since 1970 by the machine's own clock, right or wrong."""
    return time.time()  # noqa: TID251 - this is its home


class DatabaseClock:
    """The database's wall clock, in milliseconds since 1970, as this worker knows it.

    Each heartbeat gives a sample. The estimate takes the middle of the round trip, and what
    `now_ms` returns never goes back, whatever the samples say.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_ms: float | None = None
        self._latest_ms = 0

    @property
    def known(self) -> bool:
        """Whether a first sample has been taken."""
        return self._offset_ms is not None

    def sample(self, *, database_ms: int, sent: float, received: float) -> None:
        """Take the database's time as read between two instants of `Clock.monotonic`."""
        self._offset_ms = database_ms - (sent + received) / 2 * 1000

    def now_ms(self) -> int:
        """Milliseconds since 1970 by the database's clock; 0 before the first sample."""
        if self._offset_ms is None:
            return 0
        now = int(self._clock.monotonic() * 1000 + self._offset_ms)
        if now > self._latest_ms:  # noqa: PLR1730 - asked for with each change; a call costs more
            self._latest_ms = now
        return self._latest_ms
