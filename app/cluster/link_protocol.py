"""One link between two workers, without I/O: bytes in, events and bytes out.

Many sockets and calls share it, each a stream with a credit window of its own in each direction:
a stream that is not taken stops alone. What is sent on a stream without credit waits in a queue
that the caller can measure (`waiting_bytes`), which is what a room's bound on slow readers looks
at. A frame that makes no sense breaks the link; a broken link is thrown away whole.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any, NamedTuple

from ..core.codec import JsonError, dump_json, parse_json
from ..core.errors import CallRefused, LinkGarbled, Overloaded
from ..core.ids import WorkerId
from .link_frames import (
    MAX_PAYLOAD_BYTES,
    Frame,
    FrameKind,
    FrameReader,
    encode_frame,
    unpack_streams,
)
from .link_handshake import Handshake, HandshakeState, Role
from .link_outbox import LinkOutbox
from .link_traffic import LinkTraffic

WINDOW_BYTES = 256 << 10
"""What may be under way on one stream in one direction, and is returned as it is taken."""

_HANDSHAKE_BYTES = 4096
_STREAMS = 100_000
_LAST_STREAM = (1 << 32) - 1
_META_LENGTH_BYTES = 4
_READ_BYTES = MAX_PAYLOAD_BYTES + 4 * (2 * _STREAMS)
"""What goes to many streams carries their numbers besides."""


class LinkState(Enum):
    """PROVING, then READY, then BROKEN for ever."""

    PROVING = auto()
    READY = auto()
    BROKEN = auto()


class Ready(NamedTuple):
    """Both sides have proven themselves."""

    peer: WorkerId


class Told(NamedTuple):
    """A frame of a stream: its kind, what describes it, and what it carries."""

    kind: FrameKind
    stream: int
    meta: Mapping[str, Any]
    body: bytes


class Taken(NamedTuple):
    """The other side has taken bytes of a stream; `waiting_bytes` is what is still to go."""

    stream: int
    waiting_bytes: int


class Spread(NamedTuple):
    """One message of several streams."""

    kind: FrameKind
    streams: Sequence[int]
    body: bytes


Event = Ready | Told | Taken | Spread

_WITH_META = frozenset(
    {
        FrameKind.OPEN,
        FrameKind.REFUSE,
        FrameKind.CLOSE,
        FrameKind.END,
        FrameKind.CALL,
        FrameKind.ANSWER,
        FrameKind.FAIL,
        FrameKind.HEAD,
        FrameKind.BODY_END,
    }
)
_LAST = frozenset({FrameKind.REFUSE, FrameKind.END, FrameKind.ANSWER, FrameKind.FAIL})
_TEXT, _BINARY = FrameKind.TEXT, FrameKind.BINARY
_COUNTED = frozenset({_TEXT, _BINARY})
_NO_META: Mapping[str, Any] = {}
_LARGE = _COUNTED | {FrameKind.CALL, FrameKind.ANSWER}
"""What waits while the connection takes no more."""
_TO_MANY = {
    FrameKind.TEXT_TO_MANY: FrameKind.TEXT,
    FrameKind.BINARY_TO_MANY: FrameKind.BINARY,
}


class _Stream:
    """The outgoing half of a stream."""

    __slots__ = ("credit", "queue", "queued", "unreturned")

    def __init__(self) -> None:
        self.credit = WINDOW_BYTES
        self.queue: deque[tuple[FrameKind, bytes]] = deque()
        self.queued = 0
        self.unreturned = 0

    @property
    def sendable(self) -> bool:
        """Whether its next frame needs no more credit."""
        return bool(self.queue) and (self.credit > 0 or self.queue[0][0] not in _COUNTED)


class LinkProtocol:
    """See the module.

    Args:
        handshake: This side's half of the proof.
        role: Which side; decides the numbers of streams opened here.
    """

    def __init__(self, handshake: Handshake, *, role: Role) -> None:
        self._handshake = handshake
        self._reader = FrameReader(limit_bytes=_HANDSHAKE_BYTES)
        self._role = role
        self._next_stream = 1 if role is Role.DIALER else 2
        self._streams: dict[int, _Stream] = {}
        self._stalled: dict[int, _Stream] = {}
        """Those that have credit and wait for the connection alone, the longest wait first."""
        self._held = False
        self._ahead: list[bytes] = [handshake.hello()]
        """What belongs to no stream's order."""
        self._outbox = LinkOutbox()
        self.traffic = LinkTraffic()
        self.queued_bytes = 0
        """What waits on all streams, for credit or for the connection."""
        self.state = LinkState.PROVING

    @property
    def up(self) -> bool:
        """Whether streams can be opened."""
        return self.state is LinkState.READY

    def take(self) -> bytes:
        """Return what is to be sent now, and forget it."""
        ahead, self._ahead = self._ahead, []
        data = b"".join((*ahead, self._outbox.take()))
        self.traffic.sent_bytes += len(data)
        return data

    def hold(self) -> None:
        """The connection takes no more: what is large waits, and the rest is little."""
        self._held = True
        self.traffic.waits += 1

    def go_on(self, budget_bytes: int) -> bool:
        """The connection takes more: send about so much of what waited for it.

        Every stream has its turn. Returns whether there is no more of it.
        """
        while self._stalled and budget_bytes > 0:
            stream = next(iter(self._stalled))
            half = self._stalled.pop(stream)
            if self._streams.get(stream) is half and half.sendable:
                budget_bytes -= self._send_next(half, stream)
                if half.sendable:
                    self._stalled[stream] = half
        self._held = bool(self._stalled)
        return not self._held

    @property
    def streams(self) -> int:
        """How many sockets and calls are under way."""
        return len(self._streams)

    def new_stream(self) -> int:
        """The number for a stream opened here.

        Numbers are used again when they have all been used: a link may live for months.

        Raises:
            Overloaded: There are too many already.
        """
        if len(self._streams) >= _STREAMS:
            raise Overloaded(f"{len(self._streams)} sockets and calls on one link")
        while (stream := self._next_stream) in self._streams:
            self._next_stream = _following(stream)
        self._next_stream = _following(stream)
        self._streams[stream] = _Stream()
        return stream

    def tell(
        self, kind: FrameKind, stream: int, meta: Mapping[str, Any] | None = None, body: bytes = b""
    ) -> None:
        """Send a frame of a stream, behind whatever of it still waits for credit.

        A stream that has ended already is left alone: both sides may end it at once.

        Raises:
            CallRefused: It is larger than a frame may be; nothing was sent, and a stream that it
                was to open is over.
        """
        half = self._streams.get(stream)
        if half is None or self.state is LinkState.BROKEN:
            return
        counted = kind is _TEXT or kind is _BINARY  # no set of kinds: an enum's hash is slow
        small = len(body) <= MAX_PAYLOAD_BYTES
        if counted and small and half.credit > 0 and not (half.queue or self._held):
            half.credit -= len(body)
            self._outbox.add(kind, stream, body)
            return
        payload = _with_meta(meta or {}, body) if kind in _WITH_META else body
        if len(payload) > MAX_PAYLOAD_BYTES:
            if kind is FrameKind.OPEN or kind is FrameKind.CALL:
                self._forget(stream)  # the other side has never heard of it
            raise _too_large(payload)
        waits = half.queue or (counted and half.credit <= 0)
        if waits or (self._held and kind in _LARGE):
            half.queue.append((kind, payload))
            half.queued += len(payload)
            self.queued_bytes += len(payload)
            if half.sendable:  # then it is the connection that it waits for
                self._stalled[stream] = half
        else:
            self._send(half, kind, stream, payload)

    def hurry(self, stream: int) -> None:
        """Drop what of a stream waits for credit, but for what closes or ends it."""
        half = self._streams.get(stream)
        if half is None or self.state is LinkState.BROKEN:
            return
        waiting = self._empty(half)
        for kind, payload in waiting:
            if kind not in _COUNTED:
                self._send(half, kind, stream, payload)

    def returned(self, stream: int, count: int) -> None:
        """Tell the other side that bytes of a stream were taken here; small ones are gathered."""
        half = self._streams.get(stream)
        if half is None or self.state is LinkState.BROKEN:
            return
        half.unreturned += count
        if half.unreturned * 4 >= WINDOW_BYTES:
            payload = half.unreturned.to_bytes(8, "big")
            half.unreturned = 0
            self._ahead.append(encode_frame(FrameKind.CREDIT, stream, payload))

    def waiting_bytes(self, stream: int) -> int:
        """What was told on a stream and not yet taken at the other side."""
        half = self._streams.get(stream)
        return 0 if half is None else half.queued + max(0, WINDOW_BYTES - half.credit)

    def ping(self) -> None:
        """Ask for a sign of life; during the handshake, which is one itself, nothing is sent."""
        if self.state is LinkState.READY:
            self._ahead.append(encode_frame(FrameKind.PING, 0, b""))

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes as they come.

        Raises:
            LinkGarbled, LinkRefused: The link is over.
        """
        self.traffic.received_bytes += len(data)
        events: list[Event] = []
        try:
            for frame in self._reader.feed(data):
                self._take(frame, events)
        except Exception:
            self.state = LinkState.BROKEN
            raise
        return events

    def _take(self, frame: Frame, events: list[Event]) -> None:
        if self.state is LinkState.PROVING:
            self._ahead.append(self._handshake.receive(frame))
            if self._handshake.state is HandshakeState.DONE:
                self.state = LinkState.READY
                self._reader.limit_bytes = _READ_BYTES
                events.append(Ready(self._handshake.peer))
            return
        kind, stream, payload = frame
        if kind is _TEXT or kind is _BINARY:
            if stream in self._streams:
                events.append(Told(kind, stream, _NO_META, payload))
        elif kind is FrameKind.PING:
            self._ahead.append(encode_frame(FrameKind.PONG, 0, b""))
        elif kind is FrameKind.CREDIT:
            self._credit(stream, payload, events)
        elif kind in {FrameKind.HELLO, FrameKind.PROOF}:
            raise LinkGarbled("a second handshake")
        elif kind in _TO_MANY:
            streams, body = unpack_streams(stream, payload)
            known = [each for each in streams if each in self._streams]
            events.append(Spread(_TO_MANY[kind], known, body))
        elif kind is not FrameKind.PONG:
            self._take_told(kind, stream, payload, events)

    def _take_told(self, kind: FrameKind, stream: int, payload: bytes, events: list[Event]) -> None:
        if kind in {FrameKind.OPEN, FrameKind.CALL}:
            self._take_opening(stream)
        elif stream not in self._streams:
            return  # it has ended here meanwhile
        meta, body = _split_meta(payload) if kind in _WITH_META else (_NO_META, payload)
        if kind in _LAST:
            self._forget(stream)
        events.append(Told(kind, stream, meta, body))

    def _take_opening(self, stream: int) -> None:
        theirs = 0 if self._role is Role.DIALER else 1
        if stream % 2 != theirs or stream in self._streams:
            raise LinkGarbled(f"the stream number {stream} is not theirs to open")
        if len(self._streams) >= 2 * _STREAMS:
            raise LinkGarbled(f"{len(self._streams)} streams on one link")
        self._streams[stream] = _Stream()

    def _credit(self, stream: int, payload: bytes, events: list[Event]) -> None:
        half = self._streams.get(stream)
        if half is None:
            return
        half.credit += int.from_bytes(payload, "big")
        if half.credit > WINDOW_BYTES:
            raise LinkGarbled("more was taken than was sent")
        if self._held and half.sendable:
            self._stalled[stream] = half
        while not self._held and half.sendable:
            self._send_next(half, stream)
        events.append(Taken(stream, self.waiting_bytes(stream)))

    def _send(self, half: _Stream, kind: FrameKind, stream: int, payload: bytes) -> None:
        if kind in _COUNTED:
            half.credit -= len(payload)
        self._outbox.add(kind, stream, payload)
        if kind in _LAST:
            self._forget(stream)

    def _send_next(self, half: _Stream, stream: int) -> int:
        kind, payload = half.queue.popleft()
        half.queued -= len(payload)
        self.queued_bytes -= len(payload)
        self._send(half, kind, stream, payload)
        return len(payload)

    def _forget(self, stream: int) -> None:
        half = self._streams.pop(stream, None)
        if half is not None:
            self._empty(half)

    def _empty(self, half: _Stream) -> "deque[tuple[FrameKind, bytes]]":
        """Take what waits on a stream out of it."""
        self.queued_bytes -= half.queued
        waiting, half.queue, half.queued = half.queue, deque(), 0
        return waiting


def _following(stream: int) -> int:
    return stream + 2 if stream + 2 <= _LAST_STREAM else 2 - stream % 2


def _too_large(payload: bytes) -> CallRefused:
    return CallRefused(f"{len(payload)} bytes at once, a link takes {MAX_PAYLOAD_BYTES}")


def _with_meta(meta: Mapping[str, Any], body: bytes) -> bytes:
    head = dump_json(dict(meta))
    return len(head).to_bytes(_META_LENGTH_BYTES, "big") + head + body


def _split_meta(payload: bytes) -> tuple[Mapping[str, Any], bytes]:
    size = int.from_bytes(payload[:_META_LENGTH_BYTES], "big")
    end = _META_LENGTH_BYTES + size
    try:
        meta = parse_json(payload[_META_LENGTH_BYTES:end])
    except JsonError:
        raise LinkGarbled("a frame whose description cannot be read") from None
    if not isinstance(meta, dict) or len(payload) < end:
        raise LinkGarbled("a frame whose description cannot be read")
    return meta, payload[end:]
