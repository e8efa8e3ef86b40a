"""One live link: the shell that moves bytes for a `LinkProtocol` and joins streams to sockets.

A broken link ends every socket that ran over it and fails every call; nobody waits for ever. The
two ends of a stream, at the edge and at the owner, are in `link_ends`.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

import structlog

from ..core.errors import LinkBroken, Overloaded, StateroomError
from ..core.frames import OutgoingMessage
from ..core.ids import WorkerId
from ..core.sockets import LINK_GONE, SocketTransport
from .link_answers import Answer, PendingAnswers
from .link_ends import RemoteSink, RemoteTransport
from .link_errors import NotBegun, error_from, error_meta, failure_from, failure_meta
from .link_frames import FrameKind
from .link_protocol import LinkProtocol, LinkState, Ready, Spread, Taken, Told

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


class Link(asyncio.Protocol):
    """See the module.

    Args:
        protocol: The pure half, before its first byte.
        host: Takes what the other side opens.
        lost: Called once when the link is over.
        open_seconds: How long the other side may take to let a socket in.
    """

    def __init__(
        self,
        protocol: LinkProtocol,
        host: LinkHost,
        lost: Callable[["Link"], None],
        *,
        open_seconds: float,
    ) -> None:
        self._protocol = protocol
        self._host = host
        self._lost = lost
        self._open_seconds = open_seconds
        self._transport: asyncio.Transport | None = None
        self._flush_planned = False
        self._edges: dict[int, RemoteSink] = {}
        self._owned: dict[int, RemoteTransport] = {}
        self._answers = PendingAnswers(self._give_up)
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
        for event in events:
            if isinstance(event, Told):
                self._told(event)
            elif isinstance(event, Spread):
                self._spread(event)
            elif isinstance(event, Taken):
                self._taken(event)
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
        edges, owned, self._edges, self._owned = self._edges, self._owned, {}, {}
        for sink in edges.values():
            sink.broken()
        for transport in owned.values():
            transport.ended(LINK_GONE.code, LINK_GONE.reason, clean=LINK_GONE.clean)
        self._answers.break_all()
        self._lost(self)

    # -- the edge's side -----------------------------------------------------------------------

    async def open(self, meta: Mapping[str, Any], transport: SocketTransport) -> RemoteSink:
        """Bring a client's socket to an object at the other side.

        Raises:
            StateroomError: The other side refused, or the link broke.
        """
        stream = self._new_stream()
        sink = RemoteSink(self, stream, transport)
        answer = self._answers.expect(stream)
        self._edges[stream] = sink
        try:
            self.tell(FrameKind.OPEN, stream, meta)
            async with asyncio.timeout(self._open_seconds):
                await answer
        except BaseException as error:
            self._give_up(stream)  # also when it was let in in the very step that gave it up
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
        if self._protocol.queued_bytes > _BEHIND_BYTES:
            raise Overloaded("the link to the worker that holds the object is behind")
        stream = self._new_stream()
        self.tell(FrameKind.CALL, stream, meta, body)
        return self._answers.expect(stream)

    def forget(self, stream: int) -> None:
        """The client of a stream is gone."""
        self._edges.pop(stream, None)

    # -- the owner's side ----------------------------------------------------------------------

    def own(self, stream: int) -> RemoteTransport:
        """The transport for a stream that the other side opened."""
        transport = self._owned[stream] = RemoteTransport(self, stream)
        return transport

    def refuse(self, stream: int, error: StateroomError) -> None:
        """Turn a stream away."""
        self._owned.pop(stream, None)
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

    def _new_stream(self) -> int:
        if not self.alive:
            raise LinkBroken
        return self._protocol.new_stream()

    def _give_up(self, stream: int) -> None:
        """Nobody waits for the answer any more: let both sides forget the stream."""
        self._edges.pop(stream, None)
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

    def _told(self, told: Told) -> None:
        kind, stream, meta, body = told
        if kind is FrameKind.TEXT or kind is FrameKind.BINARY or kind is FrameKind.CLOSE:
            if (end := self._edges.get(stream) or self._owned.get(stream)) is not None:
                end.told(kind, meta, body)
        elif kind is FrameKind.OPEN:
            self._host.opened(self, stream, meta)
        elif kind is FrameKind.CALL:
            self._host.called(self, stream, meta, body)
        elif kind is FrameKind.ACCEPT or kind is FrameKind.ANSWER:
            self._answers.answered(stream, meta, body)
        elif kind is FrameKind.FAIL:
            self._answers.failed(stream, failure_from(meta))
        elif kind is FrameKind.REFUSE:
            self._edges.pop(stream, None)
            self._answers.failed(stream, error_from(meta))
        elif kind is FrameKind.END and (ended := self._owned.pop(stream, None)) is not None:
            ended.told(kind, meta, body)

    def _spread(self, spread: Spread) -> None:
        """One message of many streams: encoded once for all the clients that it goes to."""
        kind, streams, body = spread
        message = _message(kind, body)
        for stream in streams:
            if (sink := self._edges.get(stream)) is not None:
                sink.say(message)
            elif (transport := self._owned.get(stream)) is not None:
                transport.told(kind, {}, body)

    def _taken(self, taken: Taken) -> None:
        if (sink := self._edges.get(taken.stream)) is not None:
            sink.taken(taken.waiting_bytes)


def _message(kind: FrameKind, body: bytes) -> OutgoingMessage:
    return OutgoingMessage.from_utf8(body) if kind is FrameKind.TEXT else OutgoingMessage(body)
