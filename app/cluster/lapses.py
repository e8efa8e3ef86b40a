"""Credentials end: the sockets that came by them are closed with 4401, asleep or not.

One look a second over the rooms of this worker, where credentials are judged at all; a room in
which nothing ends yet costs one comparison. It does not wait for the database. A socket at
another worker is closed over its link; a channel ends the whole of its socket.
"""

from collections.abc import Callable, Iterable

from ..core.clock import Clock
from ..core.workshop import breathe
from ..room.room import Room

LOOK_SECONDS = 1.0
_ROOMS_AT_A_LOOK = 1_000


async def end_lapsed(
    rooms: Callable[[], Iterable[Room]], *, clock: Clock, now: Callable[[], float]
) -> None:
    """Close what is over, for ever.

    Args:
        rooms: Those of this worker.
        clock: For the pauses.
        now: Seconds since 1970, by the clock that credentials are judged by.
    """
    while True:
        await clock.sleep(LOOK_SECONDS)
        for number, room in enumerate(list(rooms()), 1):
            if room.members.lapses_at <= now():
                room.members.end_lapsed(now())
            if number % _ROOMS_AT_A_LOOK == 0:
                await breathe()
