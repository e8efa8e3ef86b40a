"""A socket whose handshake is not over: what its object says waits until it is.

An object at another worker is joined before the handshake is answered, so that a client which
sees its socket open misses nothing.
"""

from collections.abc import Callable, Sequence

from ..core.frames import OutgoingMessage
from ..core.sockets import SocketTransport


class HeldTransport:
    """A `core.sockets.SocketTransport` that holds until `release`."""

    def __init__(self) -> None:
        self._transport: SocketTransport | None = None
        self._held: list[Callable[[SocketTransport], None]] = []
        self._held_bytes = 0

    def release(self, transport: SocketTransport) -> None:
        """The handshake is over: do what waited, and everything further at once."""
        self._transport = transport
        held, self._held = self._held, []
        for act in held:
            act(transport)

    @property
    def buffered_bytes(self) -> int:
        """See `SocketTransport.buffered_bytes`; what is held counts, or it would have no bound."""
        return self._held_bytes if self._transport is None else self._transport.buffered_bytes

    def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """See `SocketTransport.send`."""
        if self._transport is not None:
            self._transport.send(messages)
            return
        self._held_bytes += sum(message.size for message in messages)
        self._held.append(lambda transport: transport.send(messages))

    def close(self, code: int, reason: str) -> None:
        """See `SocketTransport.close`."""
        self._do(lambda transport: transport.close(code, reason))

    def let_go(self, code: int, reason: str) -> None:
        """See `SocketTransport.let_go`."""
        self._do(lambda transport: transport.let_go(code, reason))

    def abort(self) -> None:
        """See `SocketTransport.abort`."""
        self._do(lambda transport: transport.abort())

    def pause_reading(self) -> None:
        """See `SocketTransport.pause_reading`."""
        self._do(lambda transport: transport.pause_reading())

    def resume_reading(self) -> None:
        """See `SocketTransport.resume_reading`."""
        self._do(lambda transport: transport.resume_reading())

    def _do(self, act: Callable[[SocketTransport], None]) -> None:
        if self._transport is None:
            self._held.append(act)
        else:
            act(self._transport)
