"""One timer for the keep-alive of every socket of a worker.

Each socket stands in one slot of a wheel. When its slot comes it is looked at, and says in how
many seconds it wants to be looked at again. A slot with very many sockets is worked off in
portions, so that they do not hold up everybody else.
"""

from typing import Any, Protocol

from ..core.clock import Clock, Timer

_SLOTS = 128
_TICKS_PER_LOOK = 32
_PORTION = 200
_FINEST_SECONDS = 0.01


class Placed(Protocol):
    """Who may stand in the wheel; `slot` is where, and the wheel's own."""

    slot: int


class Watched(Placed, Protocol):
    """Who stands in the wheel."""

    def look(self) -> float | None:
        """Do what is due; returns in how many seconds to look again, None for never."""
        ...


class PingWheel:
    """See the module.

    Args:
        clock: Ticks.
        look_seconds: What is most often asked for; it sets how fine the wheel is. Looks may be
            late by one part in 32 of it.

    Attributes:
        tick_seconds: How fine the wheel is.
    """

    def __init__(self, clock: Clock, look_seconds: float) -> None:
        self._clock = clock
        self.tick_seconds = max(look_seconds / _TICKS_PER_LOOK, _FINEST_SECONDS)
        self._slots: list[set[Any]] = [set() for _ in range(_SLOTS)]
        self._at = 0
        self._size = 0
        self._timer: Timer | None = None

    def __len__(self) -> int:
        return self._size

    def add(self, watched: Watched, seconds: float) -> None:
        """Look at somebody in so many seconds. Those beyond the wheel are looked at early."""
        ticks = min(max(round(seconds / self.tick_seconds), 1), _SLOTS - 1)
        watched.slot = (self._at + ticks) % _SLOTS
        self._slots[watched.slot].add(watched)
        self._size += 1
        if self._timer is None:
            self._wait()

    def remove(self, watched: Placed) -> None:
        """Look at somebody no more; whoever is not watched is ignored."""
        slot = self._slots[watched.slot]
        if watched in slot:
            slot.remove(watched)
            self._size -= 1

    def _wait(self) -> None:
        self._timer = self._clock.call_later(self.tick_seconds, self._tick)

    def _tick(self) -> None:
        self._at = (self._at + 1) % _SLOTS
        self._work()

    def _work(self) -> None:
        """Look at a portion of the slot; those behind it stay removable until it is their turn."""
        slot = self._slots[self._at]
        for _ in range(min(len(slot), _PORTION)):
            watched = slot.pop()
            self._size -= 1
            seconds = watched.look()
            if seconds is not None:
                self.add(watched, seconds)
        if slot:
            self._timer = self._clock.call_later(0, self._work)
            return
        self._slots[self._at] = set()  # an emptied one keeps the memory of its fullest time
        if self._size:
            self._wait()
        else:
            self._timer = None
