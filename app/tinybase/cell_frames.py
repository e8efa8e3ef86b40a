"""How a room takes the commonest frame, `cell_change`: the shortest way.

What happens is what the long way does: the replica merges the change, its row is stored, and
everybody else gets the frame as it came. Rooms that must do more with a message (a class that
listens, a frozen room, clients to be compared with, rows that are merged beside the event loop)
take the long way.
"""

from ..sdk.connection import Connection
from ..sdk.context import Context
from .cell_change import cell_change
from .large import LARGE_CHARS
from .replica import Replica


def take_cell(ctx: Context, replica: Replica | None, connection: Connection, text: str) -> bool:
    """Take a frame if it sets one cell; whether that was done.

    Args:
        ctx: The room's.
        replica: Its replica, None in a relay.
        connection: Whose frame it is.
        text: The frame.
    """
    change = cell_change(text)
    if change is None:
        return False
    if replica is not None:
        if replica.largest_row > LARGE_CHARS:
            return False
        # First: the gate holds what is said after a write.
        storage = ctx.storage
        for key, value in replica.set_cell(change, ctx.now()):
            if value is None:
                storage.delete(key)
            else:
                storage.put(key, value, no_cache=True)
    ctx.broadcast(connection.id + text, exclude=connection)
    return True
