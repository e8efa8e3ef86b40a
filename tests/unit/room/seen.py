"""What a test sees of things that change behind its back.

mypy remembers what an attribute was compared with; a function's answer it does not.
"""

from app.room.room import Room
from app.room.states import RoomState
from app.testing.sockets import MemorySocket


def state(room: Room) -> RoomState:
    return room.state


def awake(room: Room) -> bool:
    return room.awake


def reading(socket: MemorySocket) -> bool:
    return socket.reading


def closed(socket: MemorySocket) -> tuple[int, str] | None:
    return socket.closed
