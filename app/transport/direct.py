"""uvicorn's own WebSocket protocol with a direct door, past the ASGI queue.

A plain ASGI server wakes a task for every message and encodes every frame for every recipient.
Here the application may take the socket over after the handshake (`scope["extensions"]
["stateroom.direct"]`): messages are then handed to its sink in the very call that parsed them,
and frames that are already encoded are written as they are. The handshake, pings, limits and the
closing handshake stay uvicorn's. An application that does not ask notices nothing.

The base class is not a documented interface, so uvicorn is pinned to a range and
tests/integration/web checks this class and the plain one with the same suite.
"""

from asyncio import TimerHandle
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.http11 import Request

from ..core.sockets import NO_PONG, SocketEnd
from .door import DirectSocket

DIRECT_EXTENSION = "stateroom.direct"

_FLUSH_DEADLINE_SECONDS = 5.0
_PONG = b"\x8a"
_SLOWEST_BYTES = 1 << 16
"""So much a client has to take between two looks to be one that reads slowly and not a ghost."""
_SWITCHING = 101
_BAD_REQUEST = 400


class DirectWebSocketProtocol(WebSocketsSansIOProtocol):
    """See the module."""

    door: DirectSocket | None = None
    taken_over = False
    _drop_timer: TimerHandle | None = None
    _heard = False
    _unsent_at_ping = 0
    _owed_pong = b""

    def data_received(self, data: bytes) -> None:
        """Bytes have come: the request first, then frames."""
        self._heard = True
        if self.taken_over and self.door is not None:
            self.door.begin_turn()
        super().data_received(data)
        if not self.handshake_initiated and self.conn.handshake_exc is not None:
            self._refuse_request()

    def handle_connect(self, event: Request) -> None:
        """Offer the direct door to the application, whose task runs in a later step."""
        super().handle_connect(event)
        if self.response.status_code == _SWITCHING:
            self.door = DirectSocket(self)
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[DIRECT_EXTENSION] = {"socket": self.door}

    def hand_over_to(self, door: DirectSocket) -> None:
        """Deliver what waits in the ASGI queue, in order, then everything directly."""
        self.taken_over = True
        door.reads, self.read_paused = not self.read_paused, False
        door.begin_turn()
        kept: list[Any] = []
        while not self.queue.empty():
            message = self.queue.get_nowait()
            if message["type"] != "websocket.receive":
                kept.append(message)
            elif (text := message.get("text")) is not None:
                door.take(text)
            else:
                door.take(message["bytes"] or b"")
        for message in kept:
            self.queue.put_nowait(message)
        door.read_if_wanted()

    def send_receive_event_to_app(self) -> None:
        """A whole message has arrived."""
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        if self.close_sent:
            return
        message: str | bytes
        if self.curr_msg_data_type == "text":
            try:
                message = data.decode()
            except UnicodeDecodeError:
                if self.conn.parser_exc is None:
                    self.conn.send_close(1007)
                    self.handle_parser_exception()
                self.close_sent = True
                return
        else:
            message = bytes(data)
        if self.taken_over and self.door is not None:
            self.door.take(message)
            return
        if isinstance(message, str):
            self.queue.put_nowait({"type": "websocket.receive", "text": message})
        else:
            self.queue.put_nowait({"type": "websocket.receive", "bytes": message})
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def handle_close(self, event: Any) -> None:
        """The client closes, or answers our close."""
        super().handle_close(event)
        self._drop_if_stuck()

    def handle_parser_exception(self) -> None:
        """The client broke the protocol; what came whole before that is heard."""
        told = self.conn.close_sent
        if self.door is not None and told is not None and not self.close_sent:
            self.door.end = SocketEnd(told.code, told.reason, clean=False)
            self.handle_events()
        super().handle_parser_exception()
        self._drop_if_stuck()

    def handle_ping(self) -> None:
        """Answer; of the pings of a client that reads nothing only the last (RFC 6455, 5.5.3)."""
        frames = self.conn.data_to_send()
        pongs = [frame for frame in frames if frame[:1] == _PONG]
        self.conn.writes[:0] = [frame for frame in frames if frame[:1] != _PONG]  # a close: last
        if self.writable.is_set():
            self.transport.write(b"".join(pongs))
        elif pongs:
            self._owed_pong = pongs[-1]

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        owed, self._owed_pong = self._owed_pong, b""
        if owed and not self.close_sent and not self.transport.is_closing():
            self.transport.write(owed)

    def send_keepalive_ping(self) -> None:
        """Ask the client for a sign of life."""
        self._heard = False
        self._unsent_at_ping = self.transport.get_write_buffer_size()
        super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """No pong has come: the client is gone, unless there is another sign of its life."""
        if self._lives():
            self.pong_timer = self.loop.call_later(self.ping_timeout or 0.0, self.keepalive_timeout)
            self._heard = False
            self._unsent_at_ping = self.transport.get_write_buffer_size()
            return
        if self.door is not None and not (self.close_sent or self.transport.is_closing()):
            self.door.end = NO_PONG
            # Not when the transport is closed: that may wait for a reader that is gone.
            self.queue.put_nowait({"type": "websocket.disconnect", "code": NO_PONG.code})
        super().keepalive_timeout()
        self._drop_if_stuck()

    def _lives(self) -> bool:
        """Whether a pong may still be on its way.

        It may stand behind a large message that comes slowly, or behind what we do not read at
        the moment; and our ping behind what the client takes slowly.
        """
        reads = self.door.reads if self.taken_over and self.door is not None else True
        if self.read_paused or not reads:
            return True
        taken = self._unsent_at_ping - self.transport.get_write_buffer_size()
        return self._heard or taken >= _SLOWEST_BYTES

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        if self._drop_timer is not None:
            self._drop_timer.cancel()
        super().connection_lost(exc)

    async def send(self, message: Any) -> None:
        """ASGI's way; a refusal with a status completes the handshake."""
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True

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
        self.close_timer = self.loop.call_later(_FLUSH_DEADLINE_SECONDS, self.transport.abort)

    def _refuse_request(self) -> None:
        """The request is one that the HTTP parser takes and the WebSocket engine does not."""
        self.handshake_initiated = self.handshake_complete = self.close_sent = True
        answer = b"".join(self.conn.data_to_send())
        if not answer:
            text = "Not a valid WebSocket request.\n"
            answer = (
                f"HTTP/1.1 {_BAD_REQUEST} Bad Request\r\nConnection: close\r\n"
                f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(text)}\r\n"
                f"\r\n{text}"
            ).encode()
        self.transport.write(answer)
        self.transport.close()

    def _drop_if_stuck(self) -> None:
        """A closed transport waits for its reader, and some have stopped reading for good."""
        transport = self.transport
        if self._drop_timer is None and transport.is_closing():
            self._drop_timer = self.loop.call_later(_FLUSH_DEADLINE_SECONDS, transport.abort)
