"""Large joins, bit by bit: the next piece goes out when the ones before have been taken.

What a client lacks may be more than one frame or one socket's buffer can hold. It is sent as
many changes, each complete in itself; a client that reads slowly gets them slowly.
"""

from collections.abc import Callable, Iterator

from ..sdk.connection import Connection
from ..sdk.context import Context

_PAUSE_SECONDS = 0.01
_STEP_BYTES = 2 << 20
_BUFFERED_BYTES = 4 << 20


class PacedSends:
    """What is still to be sent to whom.

    Args:
        ctx: Gives timers.
        find: Gives the connection of a client, or None when it is gone.
        send: Sends a remainder to a client.
    """

    def __init__(
        self,
        ctx: Context,
        *,
        find: Callable[[str], Connection | None],
        send: Callable[[str, str], None],
    ) -> None:
        self._ctx = ctx
        self._find = find
        self._send = send
        self._under_way: dict[str, Iterator[str]] = {}

    def begin(self, recipient: str, remainders: Iterator[str]) -> None:
        """Send the remainders in order; they replace what was still under way to the client."""
        self._under_way[recipient] = remainders
        self._step(recipient, remainders)

    def forget(self, recipient: str) -> None:
        """The client is gone."""
        self._under_way.pop(recipient, None)

    def _step(self, recipient: str, remainders: Iterator[str]) -> None:
        if self._under_way.get(recipient) is not remainders:
            return
        connection = self._find(recipient)
        if connection is None or not connection.open:
            self.forget(recipient)
            return
        size = 0
        # What is sent in this step is in no buffer yet: it leaves when the event has ended.
        while size < _STEP_BYTES and connection.buffered_bytes <= _BUFFERED_BYTES:
            remainder = next(remainders, None)
            if remainder is None:
                self.forget(recipient)
                return
            self._send(recipient, remainder)
            size += len(remainder)
        self._ctx.call_later(_PAUSE_SECONDS, lambda: self._step(recipient, remainders))
