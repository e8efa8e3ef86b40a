"""uvicorn's own WebSocket, for `socket_engine=uvicorn` and for compression, with its faults mended.

* A request that is no handshake is refused as our own engine refuses it.
* What a client says before its handshake is answered waits until it is. The library would parse
  it at once, and a pong would stand before the answer.
* Text that is not UTF-8 closes with 1007 wherever its pieces are cut, without a traceback in the
  log; more than 1,000 pieces close with 1009.
* Behind a breach a client's bytes are read and thrown away for a second, as by our own engine:
  a connection that is closed with unread bytes is reset, and the client would not learn why.
* Of the pings of a client that reads nothing only the last is answered.
* **Compressed frames are inflated a little at a time**, and no more of them while the room has
  not taken what is inflated: 250 KB on the wire, one read, are up to 250 MB.

The class is no documented interface of uvicorn, which is pinned to a range (docs/decisions/0042).
"""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.protocol import State

from .answers import refusing
from .pieces import MessageBroken, Pieces
from .request_head import NoHandshake, read_head

_AT_ONCE_BYTES = 2_048
"""So much of compressed data is parsed in one step: at most 2 MB, and one message."""
_LINGER_SECONDS = 1.0
_FLUSH_SECONDS = 5.0


class ServersSocket(WebSocketsSansIOProtocol):
    """See the module. Its arguments are uvicorn's."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_read = False
        self._unparsed = b""
        """Bytes that wait until the handshake is answered, or the room has room. One read at
        most, for the connection is not read meanwhile."""
        self._pieces: Pieces | None = None
        self._parsing = False
        self._deaf = False
        self._owed_pong = b""

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol.data_received`: the whole head first, in one piece."""
        if self._deaf:
            return
        if not self._head_read:
            self._head_read = True
            self._begin(data)
            return
        self._unparsed += data
        self._parse()

    def resume_writing(self) -> None:
        """The client has taken most of what was sent."""
        super().resume_writing()
        owed, self._owed_pong = self._owed_pong, b""
        if owed and not self.close_sent:
            self.transport.write(owed)

    async def send(self, message: Any) -> None:
        """ASGI's callable."""
        await super().send(message)
        if message["type"] == "websocket.accept":
            self._parse()

    async def receive(self) -> Any:
        """ASGI's callable."""
        self._parse()
        message = await super().receive()
        self._steer_reading()  # uvicorn reads again when its queue is empty
        return message

    # -- frames --------------------------------------------------------------------------------

    def handle_text(self, event: Frame) -> None:
        """A text begins."""
        self._begin_message(event, text=True)

    def handle_bytes(self, event: Frame) -> None:
        """A binary message begins."""
        self._begin_message(event, text=False)

    def handle_cont(self, event: Frame) -> None:
        """A message goes on."""
        pieces = self._pieces
        if pieces is None or self.close_sent:
            return
        try:
            pieces.add(bytes(event.data))
            if not event.fin:
                return
            self._pieces = None
            message = pieces.whole()
        except MessageBroken as broken:
            self._break(broken.code)
            return
        self._hand_on(message)

    def handle_ping(self) -> None:
        """The library has made the pong."""
        pong = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(pong)
        else:
            self._owed_pong = pong

    def handle_parser_exception(self) -> None:
        """The client broke the protocol: tell it so, and hear no more."""
        if self._deaf:
            return
        end = self.conn.close_sent
        assert end is not None  # noqa: S101 - the library has failed the connection
        self._deaf = self.close_sent = True
        self._unparsed = b""
        self.stop_keepalive()
        self.queue.put_nowait(
            {"type": "websocket.disconnect", "code": end.code, "reason": end.reason}
        )
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(_LINGER_SECONDS, self._hang_up)

    # -- inside --------------------------------------------------------------------------------

    def _begin(self, head: bytes) -> None:
        try:
            read_head(head, "")
        except NoHandshake as wrong:
            self.handshake_complete = self.close_sent = True
            self.transport.write(refusing(wrong.refusal, self.default_headers))
            self.transport.close()
            return
        self.conn.receive_data(head)
        self.handle_events()

    def _parse(self) -> None:
        """Parse what waits, as far as it may be parsed now."""
        if self._parsing:
            return
        self._parsing = True
        try:
            while self._unparsed and self._may_parse():
                size = _AT_ONCE_BYTES if self.conn.extensions else len(self._unparsed)
                now, self._unparsed = self._unparsed[:size], self._unparsed[size:]
                self.conn.receive_data(now)
                self.handle_events()  # also what stands whole before a breach
                if self.conn.parser_exc is not None:
                    self.handle_parser_exception()
        finally:
            self._parsing = False
        self._steer_reading()

    def _may_parse(self) -> bool:
        if not self.handshake_complete or self._deaf:
            return False
        return not self.conn.extensions or self.queue.empty() or self.close_sent

    def _steer_reading(self) -> None:
        """Read no more while something waits, and again when there is nothing left to give."""
        if self._deaf or self.transport.is_closing():
            return
        if self._unparsed and not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()
        elif self.read_paused and not self._unparsed and self.queue.empty():
            self.read_paused = False
            self.transport.resume_reading()

    def _begin_message(self, event: Frame, *, text: bool) -> None:
        self._pieces = Pieces(text=text, limit_bytes=self.config.ws_max_size)
        self.handle_cont(event)

    def _hand_on(self, message: str | bytes) -> None:
        kind = "text" if isinstance(message, str) else "bytes"
        self.queue.put_nowait({"type": "websocket.receive", kind: message})  # type: ignore[arg-type]  # one of two keys
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def _break(self, code: int) -> None:
        self._pieces = None
        if self.conn.state is State.OPEN:
            self.conn.fail(code)
            self.handle_parser_exception()

    def _hang_up(self) -> None:
        self.transport.close()
        self.close_timer = self.loop.call_later(_FLUSH_SECONDS, self.transport.abort)
