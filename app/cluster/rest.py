"""Which idle rooms may rest (hibernate), and which may go. Pure.

A room is idle from the first look that finds nothing to do in it to the first that does.
"""

from collections.abc import Container, Iterable
from typing import NamedTuple
from uuid import UUID

from ..room.room import Room


class Found(NamedTuple):
    """What one look found: who may rest, who may go, and who has something to do."""

    resting: list[Room]
    leaving: list[Room]
    busy: list[Room]


class IdleRooms:
    """See the module.

    Args:
        evict_seconds: A room without sockets that is idle for this long may go.
    """

    def __init__(self, *, evict_seconds: float) -> None:
        self._evict_seconds = evict_seconds
        self._since: dict[UUID, float] = {}

    def forget(self, present: Container[UUID]) -> None:
        """Forget all that are not present any more."""
        for key in [key for key in self._since if key not in present]:
            del self._since[key]

    def look(self, rooms: Iterable[tuple[UUID, Room]], now: float) -> Found:
        """Look at some rooms; costs microseconds each."""
        found = Found([], [], [])
        since = self._since
        for key, room in rooms:
            if room.touched or not room.idle:
                room.touched = False
                since[key] = now
                found.busy.append(room)
                continue
            idle_seconds = now - since.setdefault(key, now)
            if not room.members and idle_seconds >= max(self._evict_seconds, room.idle_seconds):
                found.leaving.append(room)
            elif idle_seconds >= room.idle_seconds and (room.awake or room.drowsy):
                found.resting.append(room)
        return found
