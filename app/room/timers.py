"""Timers of one instance. They are lost with it; a pending one keeps it from being dropped."""

from collections.abc import Callable

from ..core.clock import Clock, Timer


class InstanceTimers:
    """Pending calls of one instance."""

    __slots__ = ("_clock", "_pending")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pending: dict[InstanceTimer, None] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, seconds: float, fire: Callable[[], None]) -> "InstanceTimer":
        """Call `fire` after `seconds`, unless cancelled before."""
        timer = InstanceTimer(self._pending, fire)
        self._pending[timer] = None
        timer.handle = self._clock.call_later(max(0.0, seconds), timer.run)
        return timer

    def cancel_all(self) -> None:
        """Forget every pending call."""
        for timer in list(self._pending):
            timer.cancel()


class InstanceTimer:
    """One pending call."""

    __slots__ = ("_fire", "_pending", "handle")

    def __init__(self, pending: dict["InstanceTimer", None], fire: Callable[[], None]) -> None:
        self._pending = pending
        self._fire = fire
        self.handle: Timer | None = None

    def run(self) -> None:
        """The time has come."""
        self._pending.pop(self, None)
        self.handle = None  # it knows us: what we would call must not wait for the collector
        self._fire()

    def cancel(self) -> None:
        """See `core.clock.Timer.cancel`."""
        self._pending.pop(self, None)
        handle, self.handle = self.handle, None
        if handle is not None:
            handle.cancel()
