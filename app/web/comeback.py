"""How long and how patiently a channel is brought back to an object that went away. Pure.

The first try is made at once, further ones with growing pauses. A channel that is lost again
before it was joined for some seconds is on the same way still: an object that throws its clients
out as soon as they come does not keep its channels in a circle for ever.
"""

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_STEADY_SECONDS = 3.0


class Comeback:
    """One channel's way back.

    Args:
        patience_seconds: How long one way may be, all tries together.
    """

    def __init__(self, patience_seconds: float) -> None:
        self._patience = patience_seconds
        self._until: float | None = None
        self._joined_at: float | None = None
        self._tries = 0

    def joined(self, now: float) -> None:
        """The channel is at its object."""
        self._joined_at = now

    def lost(self, now: float) -> None:
        """The object went away."""
        steady = self._joined_at is not None and now - self._joined_at >= _STEADY_SECONDS
        if self._until is None or steady:
            self._until = now + self._patience
            self._tries = 0
        self._joined_at = None

    def left_seconds(self, now: float) -> float:
        """How long may still be tried; 0 or less when it is time to give up."""
        return 0.0 if self._until is None else self._until - now

    def next_pause(self) -> float:
        """How long to wait before the next try, which is counted."""
        tries, self._tries = self._tries, self._tries + 1
        if tries == 0:
            return 0.0
        return float(min(_FIRST_PAUSE_SECONDS * 2 ** min(tries - 1, 8), _LONGEST_PAUSE_SECONDS))
