"""What a room of durability `relaxed` may lose, and when it asks for a commit because of that.

Sends of such a room leave at once as long as what is not committed is neither too old nor too
much. Commits follow behind: one is asked for when a quarter of that time has passed, or a quarter
of that much has come together, however many units there were. The rest is the commit's own, so
sends have to wait only when the database is slow.
"""

from collections.abc import Callable
from typing import Final

from ..core.clock import Clock, Timer
from .buffer import Layer
from .limits import RoomLimits

_BEHIND: Final = 0.25


class BoundedLoss:
    """See the module.

    Args:
        limits: Say how much may be lost.
        clock: For the age of what is unconfirmed.
        ask: Called when it is time for a commit.
    """

    def __init__(self, limits: RoomLimits, clock: Clock, ask: Callable[[], None]) -> None:
        self._limits = limits
        self._clock = clock
        self._ask = ask
        self._oldest_pending: float | None = None
        self._oldest_in_flight: float | None = None
        self._timer: Timer | None = None

    def allows(self, unconfirmed_bytes: int) -> bool:
        """Whether sends may leave although a unit has just ended that is not committed."""
        now = self._clock.monotonic()
        if self._oldest_pending is None:
            self._oldest_pending = now
        oldest = self._oldest_pending if self._oldest_in_flight is None else self._oldest_in_flight
        age_ms = (now - oldest) * 1000
        limits = self._limits
        return age_ms <= limits.relaxed_loss_ms and unconfirmed_bytes <= limits.relaxed_loss_bytes

    def waits(self, pending: Layer) -> bool:
        """Whether the commit of these writes has time; then it is asked for when it has no more.

        Alarms are rung by what is committed, and who deletes everything is not made to wait.
        """
        limits = self._limits
        much = pending.size_bytes >= limits.relaxed_loss_bytes * _BEHIND
        if much or pending.wiped or pending.alarms is not None:
            return False
        if self._timer is None:
            seconds = limits.relaxed_loss_ms * _BEHIND / 1000
            self._timer = self._clock.call_later(seconds, self._time)
        return True

    def taken(self) -> None:
        """What was pending is in flight."""
        self._oldest_in_flight, self._oldest_pending = self._oldest_pending, None

    def settled(self) -> None:
        """What was in flight is committed."""
        self._oldest_in_flight = None

    def end(self) -> None:
        """Ask for nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _time(self) -> None:
        self._timer = None
        self._ask()
