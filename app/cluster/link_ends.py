"""The two ends of a stream of a link.

At the edge (where the client's socket is) a stream is a `RemoteSink`: the client's messages go
in, the owner's come out on the client's transport. At the owner it is a `RemoteTransport`, which
a room cannot tell from a socket of its own.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..core.errors import CallRefused
from ..core.frames import OutgoingMessage
from ..core.sockets import SocketSink, SocketTransport
from ..core.tracing import enclosed, traceparent
from .link_frames import FrameKind
from .link_protocol import WINDOW_BYTES

_GOING_AWAY = (1012, "link_broken")
_TOO_LARGE = (1009, "message_too_large")
_TRACE_CHARACTERS = 100
_RETURN_SECONDS = 0.02
_LONGEST_RETURN_SECONDS = 0.64
TRACE = "trace"
"""In what describes a message or a call: the span that encloses it, as a traceparent."""
CLOSE_DEADLINE_SECONDS = 5.0
"""How long a close may wait behind what a slow client has not taken."""


class StreamLink(Protocol):
    """What the ends of a stream ask of their link."""

    def tell(
        self, kind: FrameKind, stream: int, meta: Mapping[str, Any] | None = None, body: bytes = b""
    ) -> None:
        """Send a frame."""
        ...

    def hurry(self, stream: int) -> None:
        """Drop what waits on a stream, so that its close gets through."""
        ...

    def returned(self, stream: int, count: int) -> None:
        """Bytes of a stream were taken here."""
        ...

    def waiting_bytes(self, stream: int) -> int:
        """What was told on a stream and not yet taken."""
        ...

    def forget(self, stream: int) -> None:
        """The client of a stream is gone."""
        ...


class RemoteSink:
    """A client's socket at the edge, whose object is at the other side; a `SocketSink`."""

    def __init__(self, link: StreamLink, stream: int, transport: SocketTransport) -> None:
        self._link = link
        self._stream = stream
        self._transport = transport
        self._paused = False
        self._owed = 0
        self._return_seconds = 0.0
        """How long to wait until the client is looked at again; 0 while it keeps up."""
        self._over = False

    def receive(self, message: str | bytes) -> None:
        """See `SocketSink.receive`."""
        if (parent := traceparent.get()) is not None:
            self._link.tell(FrameKind.BODY_END, self._stream, {TRACE: parent})
        if isinstance(message, str):
            body = message.encode("utf-8", "surrogatepass")
            self._link.tell(FrameKind.TEXT, self._stream, body=body)
        else:
            self._link.tell(FrameKind.BINARY, self._stream, body=message)
        if not self._paused and self._link.waiting_bytes(self._stream) >= WINDOW_BYTES:
            self._paused = True
            self._transport.pause_reading()

    def ended(self, code: int, reason: str, *, clean: bool) -> None:
        """See `SocketSink.ended`."""
        if not self._over:
            self._over = True
            meta = {"code": code, "reason": reason, "clean": clean}
            self._link.tell(FrameKind.END, self._stream, meta)
            self._link.forget(self._stream)

    def told(self, kind: FrameKind, meta: Mapping[str, Any], body: bytes) -> None:
        """The object says something."""
        if kind is FrameKind.CLOSE:
            end = self._transport.let_go if meta.get("away") else self._transport.close
            end(int(meta["code"]), str(meta["reason"]))
            return
        text = kind is FrameKind.TEXT
        self.say(OutgoingMessage.from_utf8(body) if text else OutgoingMessage(body))

    def say(self, message: OutgoingMessage) -> None:
        """The object says this, to this client and perhaps to others."""
        self._transport.send((message,))
        self._owed += message.size
        if not self._return_seconds:
            self._give_back()

    def taken(self, waiting_bytes: int) -> None:
        """The object has taken some of what the client said."""
        if self._paused and waiting_bytes < WINDOW_BYTES // 2:
            self._paused = False
            self._transport.resume_reading()

    def broken(self) -> None:
        """The link is gone: the client shall come back."""
        self._over = True
        self._transport.let_go(*_GOING_AWAY)

    def _give_back(self) -> None:
        """Return credit once the client's machine has taken what was sent.

        A client that reads slowly is looked at more and more rarely: there may be thousands.
        """
        if self._over:
            return
        if self._transport.buffered_bytes < WINDOW_BYTES:
            owed, self._owed, self._return_seconds = self._owed, 0, 0.0
            self._link.returned(self._stream, owed)
        else:
            longer = max(2 * self._return_seconds, _RETURN_SECONDS)
            self._return_seconds = min(longer, _LONGEST_RETURN_SECONDS)
            asyncio.get_running_loop().call_later(self._return_seconds, self._give_back)


class RemoteTransport:
    """A client of a room that is connected at another worker; a `SocketTransport`."""

    def __init__(self, link: StreamLink, stream: int) -> None:
        self._link = link
        self._stream = stream
        self._reading = True
        self._unreturned = 0
        self._over = False
        self._early: tuple[int, str, bool] | None = None
        self._sink: SocketSink | None = None
        self._trace: str | None = None

    def attach(self, sink: SocketSink) -> None:
        """The room has taken the socket in: let the edge go on."""
        self._sink = sink
        if self._early is not None:
            code, reason, clean = self._early
            sink.ended(code, reason, clean=clean)
        else:
            self._link.tell(FrameKind.ACCEPT, self._stream)

    @property
    def buffered_bytes(self) -> int:
        """See `SocketTransport.buffered_bytes`: what the client has not taken, as far as known."""
        return self._link.waiting_bytes(self._stream)

    def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """See `SocketTransport.send`."""
        if not self._over:
            for message in messages:
                kind = FrameKind.TEXT if message.text else FrameKind.BINARY
                try:
                    self._link.tell(kind, self._stream, body=message.payload)
                except CallRefused:  # nothing behind it may arrive without it
                    self.close(*_TOO_LARGE)
                    return

    def close(self, code: int, reason: str) -> None:
        """See `SocketTransport.close`."""
        self._close({"code": code, "reason": reason})

    def let_go(self, code: int, reason: str) -> None:
        """See `SocketTransport.let_go`: the edge knows whether the client can come back."""
        self._close({"code": code, "reason": reason, "away": True})

    def abort(self) -> None:
        """See `SocketTransport.abort`."""
        self.let_go(*_GOING_AWAY)
        self._link.hurry(self._stream)

    def _close(self, meta: Mapping[str, Any]) -> None:
        if not self._over:
            self._link.tell(FrameKind.CLOSE, self._stream, meta)
            loop = asyncio.get_running_loop()
            loop.call_later(CLOSE_DEADLINE_SECONDS, self._link.hurry, self._stream)

    def pause_reading(self) -> None:
        """See `SocketTransport.pause_reading`: credit is kept until the room has space."""
        self._reading = False

    def resume_reading(self) -> None:
        """See `SocketTransport.resume_reading`."""
        self._reading = True
        unreturned, self._unreturned = self._unreturned, 0
        if unreturned:
            self._link.returned(self._stream, unreturned)

    def told(self, kind: FrameKind, meta: Mapping[str, Any], body: bytes) -> None:
        """The client says something, or is gone."""
        if kind is FrameKind.END:
            self.ended(int(meta["code"]), str(meta["reason"]), clean=bool(meta["clean"]))
            return
        if self._sink is not None:
            text = body.decode("utf-8", "surrogatepass") if kind is FrameKind.TEXT else None
            message = body if text is None else text
            if self._trace is None:
                self._sink.receive(message)
            else:
                with enclosed(self._trace):
                    self._sink.receive(message)
                self._trace = None
        if self._reading:
            self._link.returned(self._stream, len(body))
        else:
            self._unreturned += len(body)

    def described(self, meta: Mapping[str, Any]) -> None:
        """The edge says something about the message that follows."""
        self._trace = trace_of(meta)

    def ended(self, code: int, reason: str, *, clean: bool) -> None:
        """The client, or the link to it, is gone."""
        if self._over:
            return
        self._over = True
        if self._sink is None:
            self._early = (code, reason, clean)
        else:
            self._sink.ended(code, reason, clean=clean)


def trace_of(meta: Mapping[str, Any]) -> str | None:
    """The span that encloses what is described."""
    trace = meta.get(TRACE)
    return trace if isinstance(trace, str) and len(trace) <= _TRACE_CHARACTERS else None


def with_trace(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    """What describes a call, with the span that encloses it if there is one."""
    parent = traceparent.get()
    return meta if parent is None else {**meta, TRACE: parent}
