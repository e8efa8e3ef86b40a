"""A connection whose handshake is not answered yet.

It gives the request to the gate and is not read until that has decided: what a client sends too
early waits in the operating system. So the connection may also be given away to another process,
with the bytes of its request and nothing lost (`core.handoff.GivableSocket`). What has come in one
packet with the request waits here, and such a connection is not given away.

A handshake that comes before an earlier request of its connection is answered (HTTP pipelining)
ends the connection: our answer would stand before that one, and that one between our frames.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, cast

import structlog

from ..core.clock import Timer
from ..core.handoff import Lent
from ..core.handshakes import HandshakeGate, Refusal
from ..core.tasks import TaskOwner
from .answers import refusing, switching
from .frame_parser import FrameParser, feed
from .picows_socket import PicowsSocket
from .request_head import NoHandshake, read_head
from .shared import Shared

_FLUSH_SECONDS = 5.0
_INTERNAL = Refusal(500, (), b"")
_UNAVAILABLE = Refusal(503, (), b"")

_log = structlog.get_logger("stateroom.sockets")


class _Forgotten(asyncio.Protocol):
    """In place of a protocol object that is over, where the loop would keep it."""

    @staticmethod
    def data_received(data: bytes) -> None:
        """Nothing: it is one for all and never read into."""


_FORGOTTEN = _Forgotten()


class PendingSocket(asyncio.Protocol):
    """See the module. A protocol object, and the gate's `core.handshakes.OfferedSocket`.

    Args:
        gate: Decides.
        shared: What all sockets of the server share.
        tasks: Owner of decisions that take time.
        admitted: Whether another worker accepted it and let the client in; it goes to no third.
    """

    def __init__(
        self, gate: HandshakeGate, shared: Shared, tasks: TaskOwner, *, admitted: bool
    ) -> None:
        self._gate = gate
        self._shared = shared
        self._tasks = tasks
        self._request = b""
        self._early = b""
        self.admitted = admitted
        self._transport: asyncio.Transport
        self._accept_key = b""
        self._paused = False
        self._answered = False
        self._gone = False
        self._parser: FrameParser | None = None
        self._timer: Timer | None = None
        self._unanswered: asyncio.BaseProtocol | None = None

    # -- the protocol object -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol.connection_made`."""
        self._transport = cast("asyncio.Transport", transport)
        self._shared.connections.add(self)
        http = self._transport.get_protocol()  # uvicorn's, until ours has the request
        cycle = getattr(http, "cycle", None)
        if cycle is not None and not cycle.response_complete:
            self._unanswered = http

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol.data_received`: the whole head first, in one piece."""
        if self._paused:
            self._early += data  # what stood in one packet with the request: one read at most
        elif self._parser is not None:
            feed(self._parser, data)
        elif not self._request:
            self._request = data
            if self._unanswered is None:
                self._decide(data)
            else:
                self._give_up(self._unanswered)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol.connection_lost`."""
        self._gone = True
        self._shared.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._parser is not None:
            self._parser.connection_lost(exc)

    def shutdown(self) -> None:
        """The server ends: uvicorn's word for every connection that is left."""
        self.refuse(_UNAVAILABLE)

    # -- the offer (core.handshakes.OfferedSocket) ---------------------------------------------

    def accept(self, subprotocol: str | None) -> PicowsSocket:
        """See `OfferedSocket.accept`."""
        self._answered = True
        self._shared.connections.discard(self)
        opened = PicowsSocket(self._transport, self._shared, reads=not self._paused)
        self._parser = opened.parser
        if self._gone:
            self._parser.connection_lost(None)
            return opened
        more = self._shared.headers
        self._transport.write(switching(self._accept_key, subprotocol, more))
        if not self._paused:  # uvicorn makes us the protocol when this call returns
            asyncio.get_running_loop().call_soon(self._hand_over)
        elif not self._early:  # else when that is heard
            self._hand_over()
        return opened

    def refuse(self, refusal: Refusal) -> None:
        """See `OfferedSocket.refuse`."""
        if self._answered:
            return
        self._answered = True
        if not self._gone:
            self._transport.write(refusing(refusal, self._shared.headers))
            self._hang_up()

    def lend(self) -> Lent | None:
        """See `core.handoff.GivableSocket.lend`."""
        transport = self._transport
        ended = self._gone or self._answered or transport.is_closing()
        if self.admitted or ended or transport.get_extra_info("ssl_object"):
            return None
        # The end of the answer to an earlier request, or what came too early.
        if transport.get_write_buffer_size() or self._early:
            return None
        return Lent(transport.get_extra_info("socket").fileno(), self._request)

    def given(self) -> None:
        """See `core.handoff.GivableSocket.given`."""
        self._answered = True
        self._transport.abort()  # closes this process's descriptor only

    # -- inside --------------------------------------------------------------------------------

    def _give_up(self, http: asyncio.BaseProtocol) -> None:
        self._answered = True
        self._hang_up()
        http.connection_lost(None)  # the earlier request ends as if its client had gone

    def _hang_up(self) -> None:
        self._transport.close()
        clock = self._shared.clock
        self._timer = clock.call_later(_FLUSH_SECONDS, self._transport.abort)

    def _decide(self, data: bytes) -> None:
        peer = self._transport.get_extra_info("peername")
        try:
            head = read_head(data, peer[0] if isinstance(peer, tuple) else "")
        except NoHandshake as wrong:
            self.refuse(wrong.refusal)
            return
        self._accept_key = head.accept_key
        try:
            work = self._gate.decide(head.handshake, self)
        except Exception:  # noqa: BLE001 - logged; the client gets a status whatever it is
            _log.exception("handshake_failed")
            self.refuse(_INTERNAL)
            return
        if work is not None:
            self._paused = True
            self._transport.pause_reading()
            self._tasks.start(self._decided(work), name="handshake")

    async def _decided(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            self.refuse(_UNAVAILABLE)
            raise
        except Exception:
            self.refuse(_INTERNAL)
            raise
        self._hear_early()

    def _hear_early(self) -> None:
        """In the step in which the object has the socket: nothing was read behind it yet."""
        early, self._early = self._early, b""
        if early and self._parser is not None and not self._gone:
            feed(self._parser, early)
            self._hand_over()

    def _hand_over(self) -> None:
        """The connection is the open socket's from now on."""
        if not self._gone:
            opened = self._transport.get_protocol()
            if opened is self and self._parser is not None:
                # uvloop keeps the last protocol object that is not buffered: us, our request too.
                self._transport.set_protocol(_FORGOTTEN)
                self._transport.set_protocol(self._parser)
