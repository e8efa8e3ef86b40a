"""One open WebSocket: frames in, frames out.

It is the listener of its parser and the room's `core.sockets.SocketTransport`, both at once: a
message goes from the parser to the sink in one call, with no queue and no task.
"""

import asyncio
from collections.abc import Sequence

from picows import WSFrame, WSMsgType, WSTransport

from ..core.bursts import Burst, write_frames
from ..core.frames import OutgoingMessage, join_frames
from .backlog import TURN_SECONDS, monotonic
from .closing import read_close
from .discard import Discard
from .frame_parser import FrameParser, SmallReads, free_bytes, is_large, make_parser
from .pieces import MessageBroken, Pieces
from .shared import Shared
from .socket_end import SocketState
from .socket_pulse import PulsingSocket

_OPEN = SocketState.OPEN
_CONTINUATION = WSMsgType.CONTINUATION
_TEXT = WSMsgType.TEXT
_PING = WSMsgType.PING
_PONG = WSMsgType.PONG
_CLOSE = WSMsgType.CLOSE
_PONG_BYTE = 0x8A
_LARGE_BYTES = 1 << 14
"""What came in a message of this size has grown the read buffer, which does not shrink."""
_PROTOCOL_ERROR = 1002
_NO_UTF8 = 1007
_NO_TURN = 0.0


class PicowsSocket(PulsingSocket):
    """See the module."""

    __slots__ = ("_choked", "_owed_pong", "_reads_little", "_turn_ends")

    def __init__(self, transport: asyncio.Transport, shared: Shared, *, reads: bool) -> None:
        super().__init__(transport, shared, reads=reads)
        self._turn_ends = _NO_TURN
        self._reads_little = False
        self._choked = False
        self._owed_pong: bytes | None = None
        self.parser = self._new_parser()

    # -- what the room asks (core.sockets.SocketTransport) -------------------------------------

    @property
    def buffered_bytes(self) -> int:
        """See `SocketTransport.buffered_bytes`."""
        return self._transport.get_write_buffer_size()

    def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """See `SocketTransport.send`."""
        if self._state is not _OPEN:
            return
        # As `write_frames`, which would be one more call for every message.
        joined = messages.frames if type(messages) is Burst else join_frames(messages)
        if joined is None:
            write_frames(self._transport, messages)
        else:
            self._transport.write(joined)

    def pause_reading(self) -> None:
        """See `SocketTransport.pause_reading`."""
        self._flows = False
        self._needed_backlog().pause()

    def resume_reading(self) -> None:
        """See `SocketTransport.resume_reading`."""
        if self._backlog is not None:
            self._backlog.resume()
            self._flow()

    # -- what the parser says (picows.WSListener) ----------------------------------------------

    def on_ws_frame(self, _transport: WSTransport, frame: WSFrame) -> None:
        """A frame has come. The usual one, a whole text, is dealt with here."""
        self._heard = True
        if (
            not self._flows
            or frame.msg_type is not _TEXT
            or not frame.fin
            or frame.rsv1
            or frame.rsv2
            or frame.rsv3
        ):
            self._take(frame)
            return
        try:
            text = frame.get_payload_as_utf8_text()
        except UnicodeDecodeError:
            self._break(_NO_UTF8)
            return
        if frame.last_in_buffer:
            if self._renew or len(text) > _LARGE_BYTES:
                self._renew_parser(frame)
            self._turn_ends = _NO_TURN
            self._sink.receive(text)  # type: ignore[union-attr]  # it is there while it flows
        else:
            self._deliver_in_turn(text)

    def on_ws_disconnected(self, _transport: WSTransport) -> None:
        """The connection is over."""
        self._gone()

    def pause_writing(self) -> None:
        """The client takes what is sent more slowly than it is sent."""
        self._choked = True

    def resume_writing(self) -> None:
        """The client has taken most of it."""
        self._choked = False
        owed, self._owed_pong = self._owed_pong, None
        if owed is not None and self._state is SocketState.OPEN:
            self._transport.write(owed)

    # -- frames that are not the usual ones ----------------------------------------------------

    def _take(self, frame: WSFrame) -> None:
        if self._state is not SocketState.OPEN:
            if frame.msg_type is _CLOSE and self._state is SocketState.CLOSING:
                self._transport.close()
            return
        try:
            self._take_kind(frame)
        except MessageBroken as broken:
            self._break(broken.code)
            return
        if frame.last_in_buffer and (self._renew or frame.payload_size > _LARGE_BYTES):
            self._renew_parser(frame)

    def _take_kind(self, frame: WSFrame) -> None:
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            raise MessageBroken(_PROTOCOL_ERROR)
        kind = frame.msg_type
        if kind is _CLOSE:
            self._take_close(frame.get_payload_as_bytes())
        elif kind is _PING:
            self._answer_ping(frame.get_payload_as_bytes())
        elif kind is not _PONG:
            self._take_data(frame, continues=kind is _CONTINUATION, text=kind is _TEXT)

    def _take_data(self, frame: WSFrame, *, continues: bool, text: bool) -> None:
        pieces = self._pieces
        if continues is (pieces is None):
            raise MessageBroken(_PROTOCOL_ERROR)
        if pieces is None:
            pieces = Pieces(text=text, limit_bytes=self._shared.max_frame_bytes)
        pieces.add(frame.get_payload_as_bytes())
        if not frame.fin:
            self._pieces, self._flows = pieces, False
            return
        self._pieces = None
        message = pieces.whole()
        self._flow()
        if not self._flows:
            self._needed_backlog().hold(message)
            return
        if frame.last_in_buffer:
            self._turn_ends = _NO_TURN
        self._deliver_in_turn(message)

    def _answer_ping(self, payload: bytes) -> None:
        """Of the pings of a client that reads nothing only the last (RFC 6455, section 5.5.3)."""
        pong = bytes((_PONG_BYTE, len(payload))) + payload
        if self._choked:
            self._owed_pong = pong
        else:
            self._transport.write(pong)

    def _take_close(self, payload: bytes) -> None:
        self._begin_close(read_close(payload), payload)
        self._transport.close()
        self._drop_later()
        self._tell_if_delivered()

    def _deliver_in_turn(self, message: str | bytes) -> None:
        """Others have their turn when the messages of one read have taken too long."""
        if self._turn_ends == _NO_TURN:
            self._turn_ends = monotonic() + TURN_SECONDS
            self._watch_buffer()
        self.deliver(message)
        if monotonic() >= self._turn_ends:
            self._turn_ends = _NO_TURN
            self._flows = False
            self._needed_backlog().rest()

    # -- the parser ----------------------------------------------------------------------------

    def _new_parser(self) -> FrameParser:
        return make_parser(self, self._shared.max_frame_bytes)

    def _renew_parser(self, frame: WSFrame) -> None:
        """Give a grown read buffer back, when nothing stands in it behind this frame."""
        transport = self._transport
        self._renew = bool(frame.tail_size) or not self._has_connection()
        if self._renew:
            self._watch_buffer()
        else:
            self.parser = self._new_parser()
            self._reads_little = False
            transport.set_protocol(self.parser)

    def _watch_buffer(self) -> None:
        """Let a buffer that has grown grow no more than the frames in it make necessary."""
        if not self._reads_little and is_large(free_bytes(self.parser)) and self._has_connection():
            self._renew = self._reads_little = True
            self._transport.set_protocol(SmallReads(self.parser))

    def _has_connection(self) -> bool:
        return self._reads_little or self._transport.get_protocol() is self.parser

    def parser_broke(self, code: int) -> None:
        """See `FrameListener.parser_broke`: what stands before the breach is heard first."""
        self._transport.set_protocol(Discard(self._gone))
        asyncio.get_running_loop().call_soon(self._break, code)
