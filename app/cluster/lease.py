"""Lease arithmetic: may this worker still speak?

The database counts the lease from the moment it wrote it; the worker counts from the instant
*before* it asked, on a clock that runs through suspension, and stops a margin earlier. So the
worker always falls silent before the database gives its rooms away. A lease ends once and is
never revived: after a lost one the worker starts again under a new id (architecture, section 7).

`LeaseTerm` is pure and is told the time; `WorkerLease` is the same with a clock.
"""

from enum import Enum, auto

from ..core.clock import Clock

_MARGIN_PART = 0.1


class LeaseState(Enum):
    """NONE before the first grant; HELD; ENDED for ever."""

    NONE = auto()
    HELD = auto()
    ENDED = auto()


class LeaseTerm:
    """One lease, from its first grant to its end. All instants are readings of one clock.

    Args:
        lease_seconds: How long the database keeps the lease after each renewal.
    """

    def __init__(self, *, lease_seconds: float) -> None:
        self._length = lease_seconds * (1 - _MARGIN_PART)
        self.deadline = float("-inf")
        """When it ends without a renewal."""
        self.state = LeaseState.NONE

    def holds_at(self, now: float) -> bool:
        """Whether it holds now. Once it has said no it never says yes again."""
        if self.state is LeaseState.HELD:
            if now < self.deadline:
                return True
            self.state = LeaseState.ENDED
        return False

    def grant(self, *, asked_at: float, now: float) -> bool:
        """Note a grant that was asked for at an instant.

        Returns whether the lease holds: a grant that arrives too late does not revive it.
        """
        if self.state is LeaseState.NONE:
            self.state = LeaseState.HELD
            self.deadline = asked_at + self._length
        elif self.holds_at(now):
            self.deadline = max(self.deadline, asked_at + self._length)
        return self.holds_at(now)

    def end(self) -> None:
        """Give it up or learn that it is gone."""
        self.state = LeaseState.ENDED

    def margin_at(self, now: float) -> float:
        """How long it still holds without a renewal."""
        return self.deadline - now if self.holds_at(now) else 0.0


class WorkerLease(LeaseTerm):
    """A lease with its clock. It is the `LeaseCheck` of every room.

    Args:
        clock: Counts the deadline.
        lease_seconds: How long the database keeps the lease after each renewal.
    """

    def __init__(self, clock: Clock, *, lease_seconds: float) -> None:
        super().__init__(lease_seconds=lease_seconds)
        self._clock = clock

    def holds(self) -> bool:
        """See `core.ports.LeaseCheck`. Once it has said no it never says yes again."""
        # Not `holds_at`: it is asked at each output, and a call costs as much as the rest.
        if self.state is LeaseState.HELD:
            if self._clock.monotonic() < self.deadline:
                return True
            self.state = LeaseState.ENDED
        return False

    def granted(self, *, asked_at: float) -> bool:
        """Note a grant that was asked for at an instant of the clock.

        Returns whether the lease holds: a grant that arrives too late does not revive it.
        """
        return self.grant(asked_at=asked_at, now=self._clock.monotonic())

    @property
    def margin_seconds(self) -> float:
        """How long it still holds without a renewal."""
        return self.margin_at(self._clock.monotonic())
