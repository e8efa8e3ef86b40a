"""The replica of a frozen room: it tells what it has, and takes nothing.

Clients stay connected and go on reading. What one of them changes meanwhile stays its own: it is
neither merged nor passed on, and nobody is asked for it. When the room is thawed its next
instance asks everybody, as after any fault, and takes what they have.
"""

from typing import Final

from .bodies import CONTENT_DIFF, CONTENT_HASHES, RESPONSE
from .synchronizer import Outcome, Synchronizer
from .wire import EVERYBODY, Message

BRINGS_CHANGES: Final = frozenset({CONTENT_DIFF, CONTENT_HASHES})
"""Messages that are not passed on in a frozen room."""

_NOT_TAKEN: Final = BRINGS_CHANGES | {RESPONSE}


class ReadOnlySynchronizer(Synchronizer):
    """See the module; what the calls mean is told in `Synchronizer`."""

    __slots__ = ()

    def start(self, now: float, *, patience_seconds: float | None = None) -> Outcome:
        """Say what the replica has, and ask nobody."""
        del now, patience_seconds
        return self.announce_to(EVERYBODY)

    def compare(self, client: str, now: float) -> Outcome:
        """Let the client have its answers at once: there is nothing to be taken from it."""
        del now
        return Outcome(compared=client)

    def handle(self, sender: str, message: Message, *, now_ms: int, now: float) -> Outcome:
        """Answer questions."""
        if message.kind in _NOT_TAKEN:
            return Outcome()
        return super().handle(sender, message, now_ms=now_ms, now=now)
