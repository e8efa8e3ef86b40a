"""The answer that an object gives without being asked: one text for one other text.

It belongs to the room, so it is there while the instance sleeps, starts, or is busy. It says
nothing that storage holds, so it does not wait at the output gate; like everything that is said
it is not given once the lease is over (invariant 2, which delivery sees to), and a client that
does not read its answers reaches the bound of every slow reader.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..core.clock import DatabaseClock
from ..core.frames import OutgoingMessage
from ..core.limits import AUTO_RESPONSE_BYTES
from .connections import RoomConnection
from .outputs import Output, Send
from .unit import RunningUnit


class AutoResponse(NamedTuple):
    """What is waited for, and what is answered; the latter encoded once for all clients."""

    request: str
    response: str
    message: OutgoingMessage


def auto_response(request: str | None, response: str | None) -> AutoResponse | None:
    """Return the pair, checked; None for none.

    Raises:
        TypeError: Only one is given, or one of them is no text.
        ValueError: One of them is too long.
    """
    if request is None and response is None:
        return None
    if not (isinstance(request, str) and isinstance(response, str)):
        raise TypeError("an auto-response is a pair of texts")
    if max(len(request.encode()), len(response.encode())) > AUTO_RESPONSE_BYTES:
        raise ValueError(f"a text of an auto-response has at most {AUTO_RESPONSE_BYTES} bytes")
    return AutoResponse(request, response, OutgoingMessage(response))


class AutoResponder:
    """See the module.

    Args:
        unit: Undoes a change with the event that made it.
        deliver: Lets outputs go, if the lease holds.
        clock: Says when a socket was answered.
    """

    __slots__ = ("_clock", "_deliver", "_unit", "pair")

    def __init__(
        self,
        unit: RunningUnit,
        deliver: Callable[[Sequence[Output]], None],
        clock: DatabaseClock,
    ) -> None:
        self._unit = unit
        self._deliver = deliver
        self._clock = clock
        self.pair: AutoResponse | None = None
        """Looked at for every message of the room; None costs nothing further."""

    def set(self, pair: AutoResponse | None) -> None:
        """Answer this from now on, or nothing; undone with an event that raises."""
        former = self.pair
        self._unit.remember(self, lambda: self._put(former))
        self.pair = pair

    def answers(self, connection: RoomConnection, message: str | bytes) -> bool:
        """Answer the message if it is the awaited text; whether it was. Nobody else hears it."""
        pair = self.pair
        if pair is None or not isinstance(message, str) or message != pair.request:
            return False
        if connection.open:
            connection.auto_responded_at = self._clock.now_ms()
            self._deliver((Send(connection, pair.message),))
        return True

    def _put(self, pair: AutoResponse | None) -> None:
        self.pair = pair
