"""How sockets and rooms meet: two small protocols, one for each direction.

The web layer (or a link from another worker) gives a room a `SocketTransport`; the room gives
back a `SocketSink`. All calls are plain and made on the event loop; none awaits.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from .frames import OutgoingMessage

VANISHED: Final = 1006
"""The code of an end without a close frame; it is never sent (RFC 6455, section 7.4.1)."""


class SocketEnd(NamedTuple):
    """How a socket ended.

    It is clean when one side closed it with a close frame. Unclean with `VANISHED` is a client
    that went away without a word; unclean with another code is one that broke the protocol, and
    was told this code.
    """

    code: int
    reason: str
    clean: bool


NO_GOODBYE: Final = SocketEnd(VANISHED, "the client went away without a close frame", clean=False)
NO_PONG: Final = SocketEnd(VANISHED, "the client went silent: no answer to a ping", clean=False)
LINK_GONE: Final = SocketEnd(VANISHED, "the worker that held the socket is gone", clean=False)


class SocketTransport(Protocol):
    """Where a room's messages for one client go."""

    @property
    def buffered_bytes(self) -> int:
        """Accepted by `send` and not yet taken by the operating system."""
        ...

    def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """Hand messages on, in order; several leave in one write. Harmless once closed."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close after what was sent; the other end sees code and reason."""
        ...

    def let_go(self, code: int, reason: str) -> None:
        """The object goes away, and nobody meant this socket to end: it may come back elsewhere.

        A channel of a multiplexed socket is brought to the object's next room where the class
        allows it (`sdk.DurableObject.resumes`); everything else is closed, as by `close`.
        """
        ...

    def abort(self) -> None:
        """Drop the socket and everything unsent, now."""
        ...

    def pause_reading(self) -> None:
        """Stop giving messages to the sink, so that the client feels back-pressure."""
        ...

    def resume_reading(self) -> None:
        """Go on giving messages to the sink."""
        ...


class SocketSink(Protocol):
    """Where a client's messages go."""

    def receive(self, message: str | bytes) -> None:
        """Take one message. Never raises."""
        ...

    def ended(self, code: int, reason: str, *, clean: bool) -> None:
        """Learn that the socket is gone, as `SocketEnd` says; called exactly once."""
        ...
