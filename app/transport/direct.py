"""uvicorn's own WebSocket protocol with a direct door, past the ASGI queue.

A plain ASGI server wakes a task for every message and encodes every frame for every recipient.
Here the application may take the socket over after the handshake (`scope["extensions"]
["stateroom.direct"]`): messages are then handed to its sink in the very call that parsed them,
and frames that are already encoded are written as they are. The handshake, pings, limits and the
closing handshake stay uvicorn's. An application that does not ask notices nothing.

The base class is not a documented interface, so uvicorn is pinned to a range and
tests/integration/web checks this class and the plain one with the same suite.
"""

from collections.abc import Sequence
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.http11 import Request

from ..core.frames import OutgoingMessage
from ..core.sockets import SocketSink

DIRECT_EXTENSION = "stateroom.direct"

_CLOSE_DEADLINE_SECONDS = 5.0


class DirectSocket:
    """The direct door of one socket; a `core.sockets.SocketTransport`.

    Args:
        protocol: The protocol object that owns the socket.
    """

    __slots__ = ("_paused", "_protocol")

    def __init__(self, protocol: "DirectWebSocketProtocol") -> None:
        self._protocol = protocol
        self._paused = False

    def attach(self, sink: SocketSink) -> None:
        """Give every further message to `sink`, beginning with those that already wait.

        How the socket ends is still told by ASGI's `websocket.disconnect`.
        """
        self._protocol.hand_over_to(sink)

    @property
    def buffered_bytes(self) -> int:
        """See `SocketTransport.buffered_bytes`."""
        return self._protocol.transport.get_write_buffer_size()

    def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """See `SocketTransport.send`."""
        protocol = self._protocol
        if protocol.close_sent or protocol.disconnected:
            return
        if len(messages) == 1:
            protocol.transport.write(messages[0].frame)
        else:
            protocol.transport.write(b"".join([message.frame for message in messages]))

    def close(self, code: int, reason: str) -> None:
        """See `SocketTransport.close`.

        The close frame queues behind unsent bytes; a client that does not take them within five
        seconds is dropped.
        """
        self._protocol.close_directly(code, reason)

    def abort(self) -> None:
        """See `SocketTransport.abort`."""
        self._protocol.transport.abort()

    def pause_reading(self) -> None:
        """See `SocketTransport.pause_reading`."""
        if not self._paused and not self._protocol.transport.is_closing():
            self._paused = True
            self._protocol.transport.pause_reading()

    def resume_reading(self) -> None:
        """See `SocketTransport.resume_reading`."""
        if self._paused:
            self._paused = False
            if not self._protocol.transport.is_closing():
                self._protocol.transport.resume_reading()


class DirectWebSocketProtocol(WebSocketsSansIOProtocol):
    """See the module."""

    sink: SocketSink | None = None

    def handle_connect(self, event: Request) -> None:
        """Offer the direct door to the application, whose task runs in a later step."""
        super().handle_connect(event)
        if self.response.status_code == 101:  # noqa: PLR2004 - Switching Protocols
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[DIRECT_EXTENSION] = {"socket": DirectSocket(self)}

    def hand_over_to(self, sink: SocketSink) -> None:
        """Deliver what waits in the ASGI queue, in order, then everything directly."""
        self.sink = sink
        kept: list[Any] = []
        while not self.queue.empty():
            message = self.queue.get_nowait()
            if message["type"] != "websocket.receive":
                kept.append(message)
            elif (text := message.get("text")) is not None:
                sink.receive(text)
            else:
                sink.receive(message["bytes"] or b"")
        for message in kept:
            self.queue.put_nowait(message)
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    def send_receive_event_to_app(self) -> None:
        """A whole message has arrived."""
        sink = self.sink
        if sink is None:
            super().send_receive_event_to_app()
            return
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        if self.close_sent:
            return
        if self.curr_msg_data_type != "text":
            sink.receive(bytes(data))
            return
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self.conn.send_close(1007)
            self.handle_parser_exception()
            return
        sink.receive(text)

    def close_directly(self, code: int, reason: str) -> None:
        """Begin the closing handshake, behind what is already written."""
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self.stop_keepalive()
        try:
            self.conn.send_close(code, reason)
        except InvalidState:
            return
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        # transport.close() would wait for a reader that has stopped; abort does not.
        self.close_timer = self.loop.call_later(_CLOSE_DEADLINE_SECONDS, self.transport.abort)
