"""The part of a room that takes the commonest frame, `cell_change`, on the shortest way.

What happens is what the long way does: the replica merges the change, its row is stored, and
everybody else gets the frame as it came. Rooms that must do more with a message (a class that
listens, a frozen room, clients to be compared with, rows that are merged beside the event loop)
take the long way.
"""

from ..sdk.connection import Connection
from ..sdk.context import Context
from .cell_change import cell_change
from .large import LARGE_CHARS, store
from .replica import Replica
from .returning import Returning


class CellFrames:
    """The part of `TinyBaseRoom` that is told in the module."""

    ctx: Context
    _replica: Replica | None
    _returning: Returning
    _attentive: bool
    """Whether every message has to take the long way."""

    def _takes_cell(self, connection: Connection, text: str) -> bool:
        """Take a frame if it sets one cell; whether that was done."""
        if self._attentive or self._returning.clients:
            return False
        change = cell_change(text)
        if change is None:
            return False
        ctx, replica = self.ctx, self._replica
        if replica is not None:
            if replica.largest_row > LARGE_CHARS:
                return False
            # First: the gate holds what is said after a write.
            store(ctx.storage, replica.set_cell(change, ctx.now()))
        ctx.broadcast(connection.id + text, exclude=connection)
        return True
