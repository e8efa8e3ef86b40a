"""What a worker's rooms come to: how many of each namespace, in which states, and what waits.

Looked at portion by portion, so that events run between. A room that sleeps stays asleep.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import product

from ..core.metrics import Reading
from ..core.mounts import Mount
from ..core.workshop import breathe
from ..room.room import Room
from ..room.states import RoomState
from .registry import RoomRegistry

_ROOMS_AT_A_LOOK = 500


class RoomSums:
    """What was seen of rooms so far.

    Args:
        now: The instant of the look, on the monotonic clock.
        queue_seconds: After how long a waiting event is refused; tells since when it waits.
        namespaces: Those that are told of even if they have no room.
    """

    def __init__(self, *, now: float, queue_seconds: float, namespaces: Iterable[Mount]) -> None:
        self._now = now
        self._queue_seconds = queue_seconds
        names = [mount.namespace for mount in namespaces]
        self._connections = Counter(dict.fromkeys(names, 0))
        states = [state.name.lower() for state in RoomState if state is not RoomState.GONE]
        self._states = Counter(dict.fromkeys(product(names, states), 0))
        self._queued: Counter[str] = Counter()
        self._oldest = 0.0
        self._congested = 0

    def add(self, room: Room) -> None:
        """Look at one room."""
        namespace = room.mount.namespace
        self._states[namespace, room.state.name.lower()] += 1
        self._connections[namespace] += len(room.members)
        if waiting := room.waiting:
            self._queued[namespace] += len(waiting)
            first = waiting[0].good_until
            if first is not None:
                self._oldest = max(self._oldest, self._queue_seconds - (first - self._now))
        self._congested += room.congested

    def readings(self) -> Iterable[Reading]:
        """What all of them come to."""
        for (namespace, state), count in self._states.items():
            yield Reading("rooms", (namespace, state), count)
        for namespace, count in self._connections.items():
            yield Reading("connections", (namespace,), count)
            yield Reading("queued_events", (namespace,), self._queued[namespace])
        yield Reading("queue_age_seconds", (), self._oldest)
        yield Reading("congested_rooms", (), self._congested)


async def read_rooms(registry: RoomRegistry, *, now: float, queue_seconds: float) -> list[Reading]:
    """Look at every room of this worker."""
    sums = RoomSums(now=now, queue_seconds=queue_seconds, namespaces=registry.namespaces)
    for number, room in enumerate(list(registry.rooms), 1):
        sums.add(room)
        if number % _ROOMS_AT_A_LOOK == 0:
            await breathe()
    readings = list(sums.readings())
    readings.append(Reading("stalled_rooms", (), registry.watchdog.stalled))
    readings.append(Reading("stuck_rooms", (), registry.watchdog.stuck))
    return readings
