"""One HTTP connection: uvicorn's, with bounds on the head of a request.

What uvicorn's class leaves open is decided here: a head has a deadline (`HeadWatch`) and a size;
what stands in one packet behind a WebSocket's request is given to the socket and not lost; a
client that goes is told to the request that runs, also when it has sent others behind it
(pipelining).

The class is no documented interface of uvicorn, which is pinned to a range (docs/decisions/0042).
"""

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ..core.handshakes import Refusal
from .answers import refusing
from .head_watch import HeadWatch

_PLAIN = ((b"content-type", b"text/plain; charset=utf-8"),)
_TOO_SLOW = Refusal(408, _PLAIN, b"The request's head took too long.\n")
_NO_REQUEST = Refusal(400, _PLAIN, b"Invalid HTTP request received.\n")
_LONG_TARGET = Refusal(414, _PLAIN, b"The request's target is too long.\n")
_TOO_LONG = Refusal(431, _PLAIN, b"The request's head is too long.\n")


class _HeadTooLong(Exception):
    """Raised in the parser, which hands it on as the cause of its own error."""


class HttpConnection(HttpToolsProtocol):
    """See the module.

    Args:
        heads: Waits for heads.
        head_bytes: The largest head of a request, and of what may stand between two pieces of
            its body (lengths of chunks, trailers).
        options: uvicorn's own.
    """

    def __init__(self, *, heads: HeadWatch, head_bytes: int, **options: Any) -> None:
        super().__init__(**options)
        self._heads = heads
        self._head_bytes = head_bytes
        self._seen = 0
        """Bytes of this head, and of its trailers, that the parser has told of."""
        self._unseen = 0
        """Bytes since the parser told of anything."""
        self._line = 0
        """Bytes of the last line so far, while it is one of a head."""
        self._in_head = True
        self._running: RequestResponseCycle | None = None
        self._deaf = False
        """Whether what comes is thrown away: something behind a request is none."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """See `asyncio.Protocol.connection_made`."""
        super().connection_made(transport)
        self._heads.begin(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol.connection_lost`."""
        self._heads.end(self)
        running, self._running = self._running, None
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol.data_received`."""
        if self._deaf or self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        self._unseen += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            too_long = isinstance(error.__context__, _HeadTooLong)
            self._refuse(self._too_long() if too_long else _NO_REQUEST)
        else:
            self._wait_for_more(data)

    def too_slow(self) -> None:
        """See `Waited.too_slow`; who has said nothing yet is told nothing."""
        if self._seen or self._unseen:
            self._refuse(_TOO_SLOW)
        else:
            self.transport.abort()

    # -- what the parser says ------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = True
        self._seen = self._unseen = self._line = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of its target."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or a trailer behind the body."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head = False
        self._unseen = 0
        self._heads.end(self)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._unseen = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole; the next one is waited for from its first byte on."""
        self._unseen = 0
        super().on_message_complete()

    # -- inside --------------------------------------------------------------------------------

    def _count(self, size: int) -> None:
        self._seen += size
        self._unseen = 0
        if self._seen > self._head_bytes:
            raise _HeadTooLong

    def _wait_for_more(self, data: bytes) -> None:
        if self._unseen > self._head_bytes:
            self._refuse(self._too_long())
        elif self._in_head and (self._seen or self._unseen):
            self._wait_for_head(data)

    def _wait_for_head(self, data: bytes) -> None:
        """The parser tells of whole headers; of a part of one it holds what we count here."""
        line_at = data.rfind(b"\n") + 1
        self._line = len(data) - line_at if line_at else self._line + len(data)
        held = self._seen + self._line if self.headers else max(self._seen, self._line)
        if held > self._head_bytes:
            self._refuse(self._too_long())
            return
        self._heads.begin(self)
        self._heads.holds(self, held)

    def _too_long(self) -> Refusal:
        return _LONG_TARGET if 2 * len(self.url) > self._head_bytes else _TOO_LONG

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _upgrade(self, rest: bytes) -> None:
        """Hand the connection to a WebSocket, with what came behind its request."""
        self._heads.end(self)
        if not self._should_upgrade():
            # The parser is at its end: the answer is the last thing on this connection.
            self.cycle.keep_alive = False
            self._deaf = True
            return
        if self._runs():
            # Our answer would stand before that one, and that one between our frames.
            self.transport.close()
            return
        self.handle_websocket_upgrade()
        if rest and not self.transport.is_closing():
            socket: Any = self.transport.get_protocol()
            socket.data_received(rest)

    def _runs(self) -> bool:
        return self._running is not None and not self._running.response_complete

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what is no request, unless the answer would be taken for another one's."""
        self._heads.end(self)
        self._deaf = True
        running = self._running
        if running is None or running.response_complete:
            self._say(refusal)
        elif running is not self.cycle or not running.more_body:
            running.keep_alive = False  # it is whole; its answer is the last one
            self.pipeline.clear()
        elif running.response_started:
            self.transport.abort()
        else:
            self._say(refusal)

    def _say(self, refusal: Refusal) -> None:
        if not self.transport.is_closing():
            self.transport.write(refusing(refusal, self.server_state.default_headers))
            self.transport.close()
