"""A socket whose handshake is not over: what its object says waits until it is.

An object at another worker is joined before the handshake is answered, so that a client which
sees its socket open misses nothing.
"""

from collections.abc import Callable, Sequence

from ..core.frames import OutgoingMessage
from ..core.sockets import SocketTransport


class HeldTransport:
    """A `core.sockets.SocketTransport` that holds until `release`.

    Args:
        transport: The socket, usable once the handshake is over.
    """

    def __init__(self, transport: SocketTransport) -> None:
        self._transport = transport
        self._held: list[Callable[[], None]] | None = []
        self._held_bytes = 0

    def release(self) -> None:
        """The handshake is over: do what waited, and everything further at once."""
        held, self._held = self._held, None
        for act in held or ():
            act()

    @property
    def buffered_bytes(self) -> int:
        """See `SocketTransport.buffered_bytes`; what is held counts, or it would have no bound."""
        return self._held_bytes if self._held is not None else self._transport.buffered_bytes

    def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """See `SocketTransport.send`."""
        if self._held is not None:
            self._held_bytes += sum(message.size for message in messages)
        self._do(lambda: self._transport.send(messages))

    def close(self, code: int, reason: str) -> None:
        """See `SocketTransport.close`."""
        self._do(lambda: self._transport.close(code, reason))

    def let_go(self, code: int, reason: str) -> None:
        """See `SocketTransport.let_go`."""
        self._do(lambda: self._transport.let_go(code, reason))

    def abort(self) -> None:
        """See `SocketTransport.abort`."""
        self._do(self._transport.abort)

    def pause_reading(self) -> None:
        """See `SocketTransport.pause_reading`."""
        self._do(self._transport.pause_reading)

    def resume_reading(self) -> None:
        """See `SocketTransport.resume_reading`."""
        self._do(self._transport.resume_reading)

    def _do(self, act: Callable[[], None]) -> None:
        if self._held is None:
            act()
        else:
            self._held.append(act)
