"""A client's socket in memory: what the object said, and a client's side to speak from."""

from collections.abc import Sequence

from ..core.frames import OutgoingMessage
from ..core.sockets import NO_GOODBYE, SocketSink


class MemorySocket:
    """Twin of a transport (`core.sockets.SocketTransport`) and of the client behind it.

    Attributes:
        received: What the client has received, in order; text as `str`, binary as `bytes`.
        writes: The same, grouped as it left: one list for each write.
        closed: Code and reason of the server's close, or None.
        let_go_by_object: Whether that close means that the object only went elsewhere.
    """

    def __init__(self) -> None:
        self.received: list[str | bytes] = []
        self.writes: list[list[str | bytes]] = []
        self.closed: tuple[int, str] | None = None
        self.let_go_by_object = False
        self.aborted = False
        self.reading = True
        self.stalled_bytes: int | None = None
        self._sink: SocketSink | None = None

    def attach(self, sink: SocketSink) -> None:
        """Give the client's side its object."""
        self._sink = sink

    # -- the transport's side --------------------------------------------------------------

    @property
    def buffered_bytes(self) -> int:
        """See `SocketTransport`; grows while the client is stalled."""
        return self.stalled_bytes or 0

    def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """See `SocketTransport`."""
        if self.closed is not None or self.aborted:
            return
        write = [
            message.payload.decode() if message.text else message.payload for message in messages
        ]
        if self.stalled_bytes is not None:
            self.stalled_bytes += sum(message.size for message in messages)
        self.writes.append(write)
        self.received.extend(write)

    def close(self, code: int, reason: str) -> None:
        """See `SocketTransport`."""
        if self.closed is None:
            self.closed = (code, reason)

    def let_go(self, code: int, reason: str) -> None:
        """See `SocketTransport`; the client sees a close like any other."""
        if self.closed is None:
            self.let_go_by_object = True
        self.close(code, reason)

    def abort(self) -> None:
        """See `SocketTransport`."""
        self.aborted = True

    def pause_reading(self) -> None:
        """See `SocketTransport`."""
        self.reading = False

    def resume_reading(self) -> None:
        """See `SocketTransport`."""
        self.reading = True

    # -- the client's side -----------------------------------------------------------------

    def stall(self) -> None:
        """Stop reading: what is sent piles up."""
        self.stalled_bytes = 0

    def say(self, message: str | bytes) -> None:
        """Send a message to the object."""
        assert self._sink is not None, "attach the socket first"  # noqa: S101 - misuse in a test
        self._sink.receive(message)

    def leave(self, code: int = 1000, reason: str = "", *, clean: bool = True) -> None:
        """Close from the client's side, or break the protocol (`clean=False`, code 1002 or so)."""
        assert self._sink is not None, "attach the socket first"  # noqa: S101 - misuse in a test
        self._sink.ended(code, reason, clean=clean)

    def vanish(self) -> None:
        """Go away without a word."""
        self.leave(NO_GOODBYE.code, NO_GOODBYE.reason, clean=NO_GOODBYE.clean)

    def take(self) -> list[str | bytes]:
        """Return what was received since the last take."""
        received, self.received = self.received, []
        return received
