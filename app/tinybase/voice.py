"""What the replica says: remainders from `S`, to one client or to all, in pieces if configured."""

from collections.abc import Callable
from typing import Final

from ..sdk import TextParts
from ..sdk.context import Context
from .attendance import Attendance
from .clock import ALPHABET
from .fragments import split_remainder
from .parted import Remainder, remainder_text
from .synchronizer import Send
from .wire import SERVER

Overhear = Callable[[str, str, str], None]
"""Told of a message before it is sent: from whom, to whom, the remainder."""

_MESSAGE_ID_CHARS: Final = 16
_FROM_SERVER: Final = f"{SERVER}\n".encode()
_ALPHABET_MASK: Final = len(ALPHABET) - 1


class Voice:
    """See the module.

    Args:
        ctx: Sends.
        clients: Who is there.
        fragment_size: Split what is longer than this many bytes; None for no splitting.
        overhear: Told of every message, or None.
    """

    __slots__ = ("_clients", "_ctx", "_fragment_size", "_overhear")

    def __init__(
        self,
        ctx: Context,
        clients: Attendance,
        *,
        fragment_size: int | None,
        overhear: Overhear | None,
    ) -> None:
        self._ctx = ctx
        self._clients = clients
        self._fragment_size = fragment_size
        self._overhear = overhear

    def say(self, send: Send) -> None:
        """Send to whom it is for."""
        recipient, remainder, exclude = send
        if recipient:
            self.say_to(recipient, remainder)
            return
        text = remainder_text(remainder)
        if self._overhear is not None:
            self._overhear(SERVER, "", text)
        left_out = self._clients.get(exclude) if exclude else None
        for piece in self._pieces(text):
            self._ctx.broadcast(f"{SERVER}\n{piece}", exclude=left_out)

    def say_to(self, recipient: str, remainder: Remainder) -> None:
        """Send to one client, if it is there."""
        connection = self._clients.get(recipient)
        if connection is None or not connection.open:
            return
        if not isinstance(remainder, str):
            if self._overhear is None and self._fragment_size is None:
                connection.send(TextParts((_FROM_SERVER, *remainder)))
                return
            remainder = remainder_text(remainder)
        if self._overhear is not None:
            self._overhear(SERVER, recipient, remainder)
        for piece in self._pieces(remainder):
            connection.send(f"{SERVER}\n{piece}")

    def _pieces(self, remainder: str) -> list[str]:
        size = self._fragment_size
        if size is None:
            return [remainder]
        return split_remainder(remainder, size, random_text(self._ctx, _MESSAGE_ID_CHARS))


def random_text(ctx: Context, count: int) -> str:
    """Unpredictable characters of the protocol's alphabet of 64."""
    return "".join([ALPHABET[byte & _ALPHABET_MASK] for byte in ctx.random_bytes(count)])
