"""Lease arithmetic: may this worker still speak? Pure but for one clock reading.

The database counts the lease from the moment it wrote it; the worker counts from the instant
*before* it asked, on a clock that runs through suspension, and stops a margin earlier. So the
worker always falls silent before the database gives its rooms away. A lease ends once and is
never revived: after a lost one the worker starts again under a new id (architecture, section 7).
"""

from enum import Enum, auto

from ..core.clock import Clock

_MARGIN_PART = 0.1


class LeaseState(Enum):
    """NONE before the first grant; HELD; ENDED for ever."""

    NONE = auto()
    HELD = auto()
    ENDED = auto()


class WorkerLease:
    """One lease, from its first grant to its end. It is the `LeaseCheck` of every room.

    Args:
        clock: Counts the deadline.
        lease_seconds: How long the database keeps the lease after each renewal.
    """

    def __init__(self, clock: Clock, *, lease_seconds: float) -> None:
        self._clock = clock
        self._length = lease_seconds * (1 - _MARGIN_PART)
        self._deadline = float("-inf")
        self.state = LeaseState.NONE

    def holds(self) -> bool:
        """See `core.ports.LeaseCheck`. Once it has said no it never says yes again."""
        if self.state is LeaseState.HELD and self._clock.monotonic() < self._deadline:
            return True
        if self.state is LeaseState.HELD:
            self.state = LeaseState.ENDED
        return False

    def granted(self, *, asked_at: float) -> bool:
        """Note a grant that was asked for at an instant of the clock.

        Returns whether the lease holds: a grant that arrives too late does not revive it.
        """
        if self.state is LeaseState.NONE:
            self.state = LeaseState.HELD
            self._deadline = asked_at + self._length
        elif self.holds():
            self._deadline = max(self._deadline, asked_at + self._length)
        return self.holds()

    def end(self) -> None:
        """Give it up or learn that it is gone."""
        self.state = LeaseState.ENDED

    @property
    def margin_seconds(self) -> float:
        """How long it still holds without a renewal."""
        return self._deadline - self._clock.monotonic() if self.holds() else 0.0
