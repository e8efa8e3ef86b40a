"""The pace at which a worker's rooms leave: a few at a time, and all of them before the deadline.

Each room is away only from its own close to its next owner's first event; what the pace spares is
the others: databases and workers that must load what left, and clients that all come back at once.

Rooms with the most sockets go first. They take the longest to end and cause the most coming back,
so they get the most time before the deadline, at which what is still here is thrown away. Rooms
without sockets go last: nobody waits for them.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..core.clock import Clock
from ..room.room import Room

_BEGIN_PART = 0.5
_BURST_ROOMS = 10
_TICK_SECONDS = 0.02
_SLOW_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast rooms may leave.

    Attributes:
        rooms_per_second: So many begin to leave in a second, unless a deadline asks for more.
        at_once: So many leave at a time. A room that takes longer than a second (its event goes
            on, its commit is late) no longer counts: it must not hold up the others.
    """

    rooms_per_second: float = 200.0
    at_once: int = 64

    def rate(self, rooms: int, within_seconds: float | None) -> float:
        """Rooms per second, such that all have begun within half of the time there is."""
        if within_seconds is None:
            return self.rooms_per_second
        asked = rooms / max(within_seconds * _BEGIN_PART, _TICK_SECONDS)
        return max(self.rooms_per_second, asked)


Leave = Callable[[Room], "asyncio.Task[object]"]
"""Lets one room begin to leave; the task ends when it is gone."""


class Departures:
    """Lets rooms leave at a pace.

    Args:
        leave: Lets one go.
        clock: Measures the pace.
        pace: The pace.
    """

    def __init__(self, leave: Leave, *, clock: Clock, pace: Pace) -> None:
        self._leave = leave
        self._clock = clock
        self._pace = pace
        self._places = asyncio.Semaphore(pace.at_once)

    async def run(self, rooms: Sequence[Room], *, within_seconds: float | None) -> None:
        """Let these rooms go and wait until all are gone.

        Cancelling it leaves those that have begun to leave to it, and keeps the others.
        """
        rate = self._pace.rate(len(rooms), within_seconds)
        begun_at = self._clock.monotonic()
        departures: list[asyncio.Task[object]] = []
        for number, room in enumerate(sorted(rooms, key=lambda each: -len(each.members))):
            due_at = begun_at + (number - _BURST_ROOMS + 1) / rate
            early = due_at - self._clock.monotonic()
            if early > 0:
                await self._clock.sleep(max(early, _TICK_SECONDS))
            await self._places.acquire()
            departure = self._leave(room)
            self._give_place_back(departure)
            departures.append(departure)
        if departures:
            await asyncio.wait(departures)

    def _give_place_back(self, departure: "asyncio.Task[object]") -> None:
        """When the room is gone, or has taken too long, whichever is first."""
        slow = self._clock.call_later(_SLOW_SECONDS, lambda: give_back(None))
        given: list[None] = []

        def give_back(_departure: object) -> None:
            slow.cancel()
            if not given:
                given.append(None)
                self._places.release()

        departure.add_done_callback(give_back)
