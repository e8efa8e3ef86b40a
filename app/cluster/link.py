"""One live link: the shell that moves bytes for a `LinkProtocol` and joins streams to sockets.

A broken link ends every socket that ran over it and fails every call; nobody waits for ever. The
two ends of a stream, at the edge and at the owner, are in `link_ends`.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

import structlog

from ..core.errors import LinkBroken, Overloaded, StateroomError
from ..core.ids import WorkerId
from ..core.sockets import SocketTransport
from ..core.tasks import TaskOwner
from ..sdk.messages import Request
from .link_answers import Answer
from .link_ends import RemoteSink, RemoteTransport, with_trace
from .link_errors import NotBegun, error_meta, failure_meta
from .link_exchanges import RemoteExchange, ServedExchange
from .link_frames import FrameKind
from .link_protocol import LinkProtocol, LinkState, Ready, Spread, Taken, Told
from .link_streams import LinkStreams

_log = structlog.get_logger("stateroom.link")

_FULL_BYTES = 4 << 20
"""What the connection may hold unsent before streams wait for it."""
_BEHIND_BYTES = 64 << 20
"""With more than this waiting on a link no call is begun on it."""
_OVERRUN_BYTES = 512 << 20
"""With more than this waiting a link is of no use: its sockets had better come back."""
_NO_ANSWER = "the worker that holds the object does not answer"
_GIVEN_UP: Mapping[str, Any] = {"code": 1006, "reason": "", "clean": False}


class LinkHost(Protocol):
    """What an incoming stream is given to."""

    def opened(self, link: "Link", stream: int, meta: Mapping[str, Any]) -> None:
        """A client's socket at the other side wants an object of ours."""
        ...

    def called(self, link: "Link", stream: int, meta: Mapping[str, Any], body: bytes) -> None:
        """A caller at the other side asks an object of ours."""
        ...

    def given_up(self, link: "Link", stream: int) -> None:
        """That caller does not wait any more."""
        ...


class Link(asyncio.Protocol):
    """See the module.

    Args:
        protocol: The pure half, before its first byte.
        host: Takes what the other side opens.
        lost: Called once when the link is over.
        tasks: Owner of what sends bodies over the link.
        open_seconds: How long the other side may take to let a socket in.
    """

    def __init__(
        self,
        protocol: LinkProtocol,
        host: LinkHost,
        lost: Callable[["Link"], None],
        *,
        tasks: TaskOwner,
        open_seconds: float,
    ) -> None:
        self._tasks = tasks
        self._protocol = protocol
        self._host = host
        self._lost = lost
        self._open_seconds = open_seconds
        self._transport: asyncio.Transport | None = None
        self._flush_planned = False
        self._streams = LinkStreams(self, self.give_up)
        self.peer: WorkerId | None = None
        self.ready: asyncio.Future[WorkerId] = asyncio.get_running_loop().create_future()
        self.heard_at = asyncio.get_running_loop().time()

    @property
    def alive(self) -> bool:
        """Whether streams can be opened."""
        return self._protocol.state is LinkState.READY

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its type
        if self._protocol.state is LinkState.BROKEN:  # closed before it was there
            self._transport.abort()
        self._transport.set_write_buffer_limits(high=_FULL_BYTES, low=_FULL_BYTES // 4)
        self._flush()

    def pause_writing(self) -> None:
        """The other side does not read as fast as we write: let streams wait."""
        self._protocol.hold()

    def resume_writing(self) -> None:
        """It has read."""
        while not self._protocol.go_on(_FULL_BYTES // 8):
            self._flush()
            if self._transport is None or self._transport.get_write_buffer_size() > _FULL_BYTES:
                self._protocol.hold()
                return
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take bytes; what makes no sense ends the link."""
        try:
            events = self._protocol.receive(data)
        except StateroomError as error:
            _log.warning("link_refused", code=error.code, reason=str(error))
            self.close()
            return
        if self.alive:  # whoever has not proven itself has no more time for whatever it says
            self.heard_at = asyncio.get_running_loop().time()
        streams = self._streams
        for event in events:
            if isinstance(event, Told):
                streams.told(event)
            elif isinstance(event, Spread):
                streams.spread(event)
            elif isinstance(event, Taken):
                streams.taken(event)
            elif isinstance(event, Ready):
                self.peer = event.peer
                if not self.ready.done():
                    self.ready.set_result(event.peer)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """End everything that ran over this link."""
        del exc
        self._protocol.state = LinkState.BROKEN
        if not self.ready.done():
            self.ready.set_exception(LinkBroken())
            self.ready.exception()
        self._streams.break_all()
        self._lost(self)

    # -- the edge's side -----------------------------------------------------------------------

    async def open(self, meta: Mapping[str, Any], transport: SocketTransport) -> RemoteSink:
        """Bring a client's socket to an object at the other side.

        Raises:
            StateroomError: The other side refused, or the link broke.
        """
        stream = self._new_stream()
        sink = RemoteSink(self, stream, transport)
        answer = self._streams.answers.expect(stream)
        self._streams.edges[stream] = sink
        try:
            self.tell(FrameKind.OPEN, stream, meta)
            async with asyncio.timeout(self._open_seconds):
                await answer
        except BaseException as error:
            self.give_up(stream)  # also when it was let in in the very step that gave it up
            if isinstance(error, TimeoutError):
                raise LinkBroken(_NO_ANSWER) from error
            raise
        return sink

    async def call(self, meta: Mapping[str, Any], body: bytes, *, within_seconds: float) -> Answer:
        """Ask an object at the other side; the deadline is longer than what is asked may take.

        Raises:
            Overloaded: Too much waits on this link already.
            NotBegun: The other side says that the author's code did not begin on it.
            StateroomError: What it answered, or the link broke.
        """
        try:
            async with asyncio.timeout(within_seconds):
                return await self.post(meta, body)
        except TimeoutError as error:
            raise LinkBroken(_NO_ANSWER) from error

    def post(self, meta: Mapping[str, Any], body: bytes) -> "asyncio.Future[Answer]":
        """Send a call in this very step, behind those sent before; see `call`.

        Raises:
            LinkBroken: The link is not up; nothing was sent.
            Overloaded: Too much waits on this link already.
            CallRefused: It is too large for any link; nothing was sent.
        """
        return self._streams.answers.expect(self._begin_call(meta, body))

    def exchange(self, meta: Mapping[str, Any], request: Request) -> RemoteExchange:
        """Send a request in this very step whose body or answer may come in pieces.

        Raises:
            LinkBroken, Overloaded, CallRefused: See `post`.
        """
        stream = self._begin_call(meta, request.body)
        exchange = RemoteExchange(self, stream, request.pieces, self._tasks)
        self._streams.exchanges[stream] = exchange
        return exchange

    def forget(self, stream: int) -> None:
        """A stream is over on this side."""
        self._streams.edges.pop(stream, None)
        self._streams.exchanges.pop(stream, None)

    # -- the owner's side ----------------------------------------------------------------------

    def own(self, stream: int) -> RemoteTransport:
        """The transport for a stream that the other side opened."""
        transport = self._streams.owned[stream] = RemoteTransport(self, stream)
        return transport

    def serve(self, stream: int) -> ServedExchange:
        """Our end of a request that the other side has sent.

        Raises:
            LinkBroken: There is nobody any more to be answered.
        """
        if not self.alive:
            raise LinkBroken
        served = self._streams.exchanges[stream] = ServedExchange(self, stream)
        return served

    def refuse(self, stream: int, error: StateroomError) -> None:
        """Turn a stream away."""
        self._streams.owned.pop(stream, None)
        self.tell(FrameKind.REFUSE, stream, error_meta(error))

    def fail(self, stream: int, error: StateroomError | NotBegun) -> None:
        """Answer a call with an error."""
        self.tell(FrameKind.FAIL, stream, failure_meta(error))

    # -- both ----------------------------------------------------------------------------------

    def tell(
        self, kind: FrameKind, stream: int, meta: Mapping[str, Any] | None = None, body: bytes = b""
    ) -> None:
        """Send a frame; frames of one step of the loop leave in one write."""
        self._protocol.tell(kind, stream, meta, body)
        self._plan_flush()

    def hurry(self, stream: int) -> None:
        """Drop what waits on a stream, so that its close gets through."""
        self._protocol.hurry(stream)
        self._plan_flush()

    def returned(self, stream: int, count: int) -> None:
        """Bytes of a stream were taken here."""
        self._protocol.returned(stream, count)
        self._plan_flush()

    def waiting_bytes(self, stream: int) -> int:
        """What was told on a stream and not yet taken."""
        return self._protocol.waiting_bytes(stream)

    def ping(self) -> None:
        """Ask for a sign of life."""
        self._protocol.ping()
        self._flush()

    def close(self) -> None:
        """End the link; everything on it ends with it."""
        self._protocol.state = LinkState.BROKEN
        if self._transport is not None:
            self._transport.abort()

    def opened(self, stream: int, meta: Mapping[str, Any]) -> None:
        """See `StreamHost`."""
        self._host.opened(self, stream, meta)

    def called(self, stream: int, meta: Mapping[str, Any], body: bytes) -> None:
        """See `StreamHost`."""
        self._host.called(self, stream, meta, body)

    def given_up(self, stream: int) -> None:
        """See `StreamHost`."""
        self._host.given_up(self, stream)

    def _begin_call(self, meta: Mapping[str, Any], body: bytes) -> int:
        if self._protocol.queued_bytes > _BEHIND_BYTES:
            raise Overloaded("the link to the worker that holds the object is behind")
        stream = self._new_stream()
        self.tell(FrameKind.CALL, stream, with_trace(meta), body)
        return stream

    def _new_stream(self) -> int:
        if not self.alive:
            raise LinkBroken
        return self._protocol.new_stream()

    def give_up(self, stream: int) -> None:
        """Nobody waits for the answer any more: let both sides forget the stream."""
        self.forget(stream)
        self.tell(FrameKind.END, stream, _GIVEN_UP)

    def _plan_flush(self) -> None:
        if not self._flush_planned:
            self._flush_planned = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_planned = False
        if self._transport is None:
            return  # still being dialled: the hello waits for the connection
        data = self._protocol.take()
        if self._protocol.queued_bytes > _OVERRUN_BYTES:
            _log.error("link_overrun", peer=str(self.peer), queued=self._protocol.queued_bytes)
            self.close()
        elif data and not self._transport.is_closing():
            self._transport.write(data)
