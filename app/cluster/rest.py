"""Which idle rooms may rest (hibernate), and which may go. Pure.

A room is idle from the first look that finds nothing to do in it to the first that does.
"""

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from ..room.room import Room


class Idle(NamedTuple):
    """What one look found."""

    resting: list[Room]
    leaving: list[Room]


class IdleRooms:
    """See the module.

    Args:
        evict_seconds: A room without sockets that is idle for this long may go.
    """

    def __init__(self, *, evict_seconds: float) -> None:
        self._evict_seconds = evict_seconds
        self._since: dict[UUID, float] = {}

    def look(self, rooms: Mapping[UUID, Room], now: float) -> Idle:
        """Look at every room; costs microseconds each."""
        since = self._since
        for key in since.keys() - rooms.keys():
            del since[key]
        found = Idle([], [])
        for key, room in rooms.items():
            if room.touched or not room.idle:
                room.touched = False
                since[key] = now
                continue
            idle_seconds = now - since.setdefault(key, now)
            if not room.members and idle_seconds >= max(self._evict_seconds, room.idle_seconds):
                found.leaving.append(room)
            elif idle_seconds >= room.idle_seconds and room.awake:
                found.resting.append(room)
        return found
