"""The direct door of one socket: a `core.sockets.SocketTransport` on a protocol object.

Messages go to the sink as they are parsed, within two bounds. While the sink asks for a pause,
what was parsed already is held back, in order, and the connection is not read. And a client that
sends much at once gets a turn of a few milliseconds; then every other socket of the worker has
its own before the rest is delivered.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from ..core.clock import SystemClock
from ..core.frames import OutgoingMessage, write_frames
from ..core.sockets import SocketEnd, SocketSink

TURN_SECONDS = 0.01
"""How long the messages of one read may be delivered before others have their turn."""

_monotonic = SystemClock().monotonic


class DoorOwner(Protocol):
    """What the door asks of its protocol object."""

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    close_sent: bool
    disconnected: bool

    def hand_over_to(self, door: "DirectSocket") -> None:
        """Give every message to the door from now on."""
        ...

    def close_directly(self, code: int, reason: str) -> None:
        """Begin the closing handshake."""
        ...


class DirectSocket:
    """See the module.

    Args:
        protocol: The protocol object that owns the socket.
    """

    __slots__ = (
        "_all_given",
        "_held",
        "_paused",
        "_protocol",
        "_resting",
        "_sink",
        "_turn_ends",
        "end",
        "reads",
    )

    def __init__(self, protocol: DoorOwner) -> None:
        self._protocol = protocol
        self._sink: SocketSink | None = None
        self._held: deque[str | bytes] = deque()
        self._paused = False
        self._resting = False
        self._turn_ends = 0.0
        self._all_given: asyncio.Future[None] | None = None
        self.reads = True
        """Whether the connection is read at the moment."""
        self.end: SocketEnd | None = None
        """How the socket ended, if the protocol object knows more than ASGI has words for."""

    # -- what the application asks -------------------------------------------------------------

    def attach(self, sink: SocketSink) -> None:
        """Give every further message to `sink`, beginning with those that already wait.

        How the socket ends is still told by ASGI's `websocket.disconnect`.
        """
        self._sink = sink
        self._protocol.hand_over_to(self)

    async def delivered(self) -> None:
        """Wait until the sink has every message that came before the socket's end."""
        if self._held:
            self._all_given = asyncio.get_running_loop().create_future()
            await self._all_given

    @property
    def buffered_bytes(self) -> int:
        """See `SocketTransport.buffered_bytes`."""
        return self._protocol.transport.get_write_buffer_size()

    def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """See `SocketTransport.send`."""
        protocol = self._protocol
        if protocol.close_sent or protocol.disconnected:
            return
        write_frames(protocol.transport, messages)

    def close(self, code: int, reason: str) -> None:
        """See `SocketTransport.close`.

        The close frame queues behind unsent bytes; a client that does not take them within five
        seconds is dropped.
        """
        self._forget_held()
        self._protocol.close_directly(code, reason)

    def let_go(self, code: int, reason: str) -> None:
        """See `SocketTransport.let_go`: a socket of its own cannot go elsewhere."""
        self.close(code, reason)

    def abort(self) -> None:
        """See `SocketTransport.abort`."""
        self._forget_held()
        self._protocol.transport.abort()

    def pause_reading(self) -> None:
        """See `SocketTransport.pause_reading`."""
        self._paused = True
        self.read_if_wanted()

    def resume_reading(self) -> None:
        """See `SocketTransport.resume_reading`."""
        if self._paused:
            self._paused = False
            if self._held:
                self._rest()
            else:
                self.read_if_wanted()

    # -- what the protocol object asks ---------------------------------------------------------

    def begin_turn(self) -> None:
        """Bytes have come."""
        self._turn_ends = _monotonic() + TURN_SECONDS

    def take(self, message: str | bytes) -> None:
        """Deliver a message, now or in its turn."""
        if self._paused or self._resting or self._held or self._sink is None:
            self._held.append(message)
            return
        self._sink.receive(message)
        if _monotonic() >= self._turn_ends:
            self._rest()

    def read_if_wanted(self) -> None:
        """Read the connection if the sink could take something."""
        wanted = not (self._paused or self._resting or self._held)
        if wanted is self.reads:
            return
        self.reads = wanted
        transport = self._protocol.transport
        if not transport.is_closing():
            if wanted:
                transport.resume_reading()
            else:
                transport.pause_reading()

    # -- inside --------------------------------------------------------------------------------

    def _rest(self) -> None:
        if not self._resting:
            self._resting = True
            self._protocol.loop.call_soon(self._go_on)
            self.read_if_wanted()

    def _go_on(self) -> None:
        self._resting = False
        self.begin_turn()
        sink = self._sink
        while self._held and sink is not None and not (self._paused or self._resting):
            sink.receive(self._held.popleft())
            if _monotonic() >= self._turn_ends:
                self._rest()
        if not self._held:
            self._tell_all_given()
        self.read_if_wanted()

    def _forget_held(self) -> None:
        self._held.clear()
        self._paused = False
        self._tell_all_given()
        self.read_if_wanted()

    def _tell_all_given(self) -> None:
        waiting, self._all_given = self._all_given, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
