"""What runs over one link, by stream: clients' sockets, calls, and requests with their bodies.

A frame that has come is given to whoever its stream belongs to. A stream that is not known here
any more has ended on this side, and what still comes on it means nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ..core.frames import OutgoingMessage
from ..core.sockets import LINK_GONE
from ..core.tracing import enclosed
from .link_answers import PendingAnswers
from .link_ends import RemoteSink, RemoteTransport, trace_of
from .link_errors import error_from, failure_from
from .link_frames import FrameKind
from .link_protocol import Spread, Taken, Told


class StreamHost(Protocol):
    """What a stream that the other side opens is given to."""

    def opened(self, stream: int, meta: Mapping[str, Any]) -> None:
        """A client's socket at the other side wants an object of ours."""
        ...

    def called(self, stream: int, meta: Mapping[str, Any], body: bytes) -> None:
        """A caller at the other side asks an object of ours."""
        ...

    def given_up(self, stream: int) -> None:
        """That caller does not wait any more."""
        ...


class ExchangeEnd(Protocol):
    """One end of a request whose body or answer comes in pieces."""

    def told(self, kind: FrameKind, meta: Mapping[str, Any], body: bytes) -> None:
        """The other end says this."""
        ...

    def taken(self) -> None:
        """The other end has taken some of what was sent."""
        ...

    def broken(self) -> None:
        """The link is gone."""
        ...


class LinkStreams:
    """See the module.

    Args:
        host: Takes what the other side opens.
        given_up: Told of a stream whose answer nobody here waits for any more.

    Attributes:
        edges: Clients' sockets here whose objects are at the other side.
        owned: Clients' sockets at the other side whose objects are here.
        exchanges: Requests in pieces, of either side.
        answers: Who waits for an answer of the other side.
    """

    def __init__(self, host: StreamHost, given_up: Callable[[int], None]) -> None:
        self.edges: dict[int, RemoteSink] = {}
        self.owned: dict[int, RemoteTransport] = {}
        self.exchanges: dict[int, ExchangeEnd] = {}
        self.answers = PendingAnswers(given_up)
        self._host = host

    def told(self, told: Told) -> None:
        """A frame of one stream has come."""
        kind, stream, meta, body = told
        if kind is FrameKind.TEXT or kind is FrameKind.BINARY or kind is FrameKind.CLOSE:
            end = self.edges.get(stream) or self.owned.get(stream) or self.exchanges.get(stream)
            if end is not None:
                end.told(kind, meta, body)
        elif kind is FrameKind.OPEN:
            self._host.opened(stream, meta)
        elif kind is FrameKind.CALL:
            with enclosed(trace_of(meta)):
                self._host.called(stream, meta, body)
        elif kind is FrameKind.END:
            self._ended(stream, meta, body)
        elif (exchange := self.exchanges.get(stream)) is not None:
            exchange.told(kind, meta, body)
        elif kind is FrameKind.BODY_END:
            if (transport := self.owned.get(stream)) is not None:
                transport.described(meta)
        elif kind is FrameKind.ACCEPT or kind is FrameKind.ANSWER:
            self.answers.answered(stream, meta, body)
        elif kind is FrameKind.FAIL:
            self.answers.failed(stream, failure_from(meta))
        elif kind is FrameKind.REFUSE:
            self.edges.pop(stream, None)
            self.answers.failed(stream, error_from(meta))

    def spread(self, spread: Spread) -> None:
        """One message of many streams: encoded once for all the clients that it goes to."""
        kind, streams, body = spread
        text = kind is FrameKind.TEXT
        message = OutgoingMessage.from_utf8(body) if text else OutgoingMessage(body)
        for stream in streams:
            if (sink := self.edges.get(stream)) is not None:
                sink.say(message)
            elif (end := self.owned.get(stream) or self.exchanges.get(stream)) is not None:
                end.told(kind, {}, body)

    def taken(self, taken: Taken) -> None:
        """The other side has taken bytes of a stream."""
        if (sink := self.edges.get(taken.stream)) is not None:
            sink.taken(taken.waiting_bytes)
        elif (exchange := self.exchanges.get(taken.stream)) is not None:
            exchange.taken()

    def break_all(self) -> None:
        """The link is gone: end everything that ran over it."""
        edges, self.edges = self.edges, {}
        owned, self.owned = self.owned, {}
        exchanges, self.exchanges = self.exchanges, {}
        for sink in edges.values():
            sink.broken()
        for transport in owned.values():
            transport.ended(LINK_GONE.code, LINK_GONE.reason, clean=LINK_GONE.clean)
        for exchange in exchanges.values():
            exchange.broken()
        self.answers.break_all()

    def _ended(self, stream: int, meta: Mapping[str, Any], body: bytes) -> None:
        """Whoever opened the stream wants no more of it."""
        if (transport := self.owned.pop(stream, None)) is not None:
            transport.told(FrameKind.END, meta, body)
            return
        self.exchanges.pop(stream, None)  # whoever serves it ends it
        self._host.given_up(stream)
