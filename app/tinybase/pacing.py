"""Large joins, in turns: one piece goes out, then everybody else of the worker has a turn.

What a client lacks may be more than one frame or one socket's buffer can hold. It is sent as
many changes, each complete in itself; a client that reads slowly gets them slowly. However many
join at once, one step of the event loop writes one piece, so that other rooms go on; the joiners
have their pieces one after the other, and whoever has not taken the last ones yet is passed over.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final

from ..sdk.connection import Connection
from ..sdk.context import Context
from .parted import Remainder, remainder_size

BUFFERED_BYTES: Final = 1 << 20
"""A client that has more than this to take is passed over."""

_PAUSE_SECONDS = 0.01
_TURN_BYTES = 1 << 20
_LOOKS = 64
"""So many clients are looked at in one turn, at most."""


class PacedSends:
    """What is still to be sent to whom.

    Args:
        ctx: Gives timers.
        find: Gives the connection of a client, or None when it is gone.
        send: Sends a remainder to a client.
    """

    __slots__ = ("_awaits_turn", "_ctx", "_find", "_passed_over", "_send", "_under_way")

    def __init__(
        self,
        ctx: Context,
        *,
        find: Callable[[str], Connection | None],
        send: Callable[[str, Remainder], None],
    ) -> None:
        self._ctx = ctx
        self._find = find
        self._send = send
        self._under_way: OrderedDict[str, Iterator[Remainder]] = OrderedDict()
        self._passed_over = 0  # one after the other
        self._awaits_turn = False

    def crowded(self) -> bool:
        """Whether something large has gone out in this turn, or waits for the next ones."""
        return self._awaits_turn

    def begin(self, recipient: str, remainders: Iterator[Remainder]) -> None:
        """Send the remainders in order; they replace what was still under way to the client."""
        self._under_way[recipient] = remainders
        if not self._awaits_turn:
            self._turn()

    def took_turn(self) -> None:
        """Something large was sent beside this: what is large as well waits for the next turn."""
        if not self._awaits_turn:
            self._come_back(0.0)

    def forget(self, recipient: str) -> None:
        """The client is gone."""
        self._under_way.pop(recipient, None)

    def _turn(self) -> None:
        self._awaits_turn = False
        size = 0
        # What is sent in this turn is in no buffer yet: it leaves when the event has ended.
        for _ in range(min(len(self._under_way), _LOOKS)):
            size += self._next(*self._under_way.popitem(last=False))
            if size >= _TURN_BYTES:
                break
        if not self._under_way:
            return
        if self._passed_over < len(self._under_way):
            self._come_back(0.0)
        else:
            self._passed_over = 0
            self._come_back(_PAUSE_SECONDS)

    def _come_back(self, seconds: float) -> None:
        self._awaits_turn = True
        self._ctx.call_later(seconds, self._turn)

    def _next(self, recipient: str, remainders: Iterator[Remainder]) -> int:
        """Send a client's next remainder if it may have one; return how large that was."""
        connection = self._find(recipient)
        if connection is None or not connection.open:
            return 0
        if connection.buffered_bytes > BUFFERED_BYTES:
            self._under_way[recipient] = remainders
            self._passed_over += 1
            return 0
        self._passed_over = 0
        remainder = next(remainders, None)
        if remainder is None:
            return 0
        self._send(recipient, remainder)
        self._under_way[recipient] = remainders
        return remainder_size(remainder)
