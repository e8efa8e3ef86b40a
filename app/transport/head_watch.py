"""Clients that have not said yet what they want: how long they may take, and how many there may be.

A connection is watched from its first instant, and again from the first byte of each further
request, until the head of its request is whole. Who takes too long is told so and dropped. When
too many are watched, or what they have sent so far is too much, the one that has taken longest
goes first: an honest client's head comes with its first packet.

Everybody has the same time, so the order of arrival is the order of deadlines, and one timer
serves all.
"""

from typing import Protocol

from ..core.clock import Clock, Timer

MOST_HEADS = 8_192
"""So many may be on their way at once. The system's queue of accepted connections is a quarter."""
MOST_BYTES = 32 << 20
"""So much unfinished heads may hold together."""


class Waited(Protocol):
    """Whose head is waited for."""

    def too_slow(self) -> None:
        """It took too long, or there are too many; the connection is to end now."""
        ...


class HeadWatch:
    """See the module.

    Args:
        clock: Measures.
        seconds: How long a head may take.
        most_heads: How many may be on their way at once.
        most_bytes: How much they may hold together.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        seconds: float,
        most_heads: int = MOST_HEADS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._most_heads = most_heads
        self._most_bytes = most_bytes
        self._waited: dict[Waited, tuple[float, int]] = {}
        self._bytes = 0
        self._timer: Timer | None = None

    def __len__(self) -> int:
        return len(self._waited)

    @property
    def held_bytes(self) -> int:
        """What unfinished heads hold together."""
        return self._bytes

    def begin(self, waited: Waited) -> None:
        """Wait for a head. Whoever is waited for already keeps its deadline."""
        if waited in self._waited:
            return
        self._waited[waited] = (self._clock.monotonic() + self._seconds, 0)
        if self._timer is None:
            self._timer = self._clock.call_later(self._seconds, self._look)
        self._keep_bounds()

    def holds(self, waited: Waited, size: int) -> None:
        """An unfinished head holds so many bytes by now."""
        found = self._waited.get(waited)
        if found is not None:
            self._waited[waited] = (found[0], size)
            self._bytes += size - found[1]
            self._keep_bounds()

    def end(self, waited: Waited) -> None:
        """The head is whole, or the connection over. Harmless for whoever is not waited for."""
        found = self._waited.pop(waited, None)
        if found is not None:
            self._bytes -= found[1]

    def _keep_bounds(self) -> None:
        while len(self._waited) > self._most_heads or self._bytes > self._most_bytes:
            self._give_up(next(iter(self._waited)))

    def _look(self) -> None:
        self._timer = None
        now = self._clock.monotonic()
        while self._waited:
            waited, (deadline, _) = next(iter(self._waited.items()))
            if deadline > now:
                self._timer = self._clock.call_later(deadline - now, self._look)
                return
            self._give_up(waited)

    def _give_up(self, waited: Waited) -> None:
        self.end(waited)
        waited.too_slow()
