"""One link between two workers, without I/O: bytes in, events and bytes out.

Many sockets and calls share it, each a stream with a credit window of its own in each direction:
a stream that is not taken stops alone. What is sent on a stream without credit waits in a queue
that the caller can measure (`waiting_bytes`), which is what a room's bound on slow readers looks
at. A frame that makes no sense breaks the link; a broken link is thrown away whole.
"""

from collections import deque
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, NamedTuple

from ..core.codec import JsonError, dump_json, parse_json
from ..core.errors import LinkGarbled
from ..core.ids import WorkerId
from .link_frames import (
    MAX_PAYLOAD_BYTES,
    Frame,
    FrameKind,
    FrameReader,
    encode_frame,
)
from .link_handshake import Handshake, HandshakeState, Role

WINDOW_BYTES = 256 << 10
"""What may be under way on one stream in one direction, and is returned as it is taken."""

_HANDSHAKE_BYTES = 4096
_STREAMS = 100_000
_META_LENGTH_BYTES = 4


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


Event = Ready | Told | Taken

_WITH_META = frozenset(
    {
        FrameKind.OPEN,
        FrameKind.REFUSE,
        FrameKind.CLOSE,
        FrameKind.END,
        FrameKind.CALL,
        FrameKind.ANSWER,
        FrameKind.FAIL,
    }
)
_LAST = frozenset({FrameKind.REFUSE, FrameKind.END, FrameKind.ANSWER, FrameKind.FAIL})
_COUNTED = frozenset({FrameKind.TEXT, FrameKind.BINARY})


class _Stream:
    """The outgoing half of a stream."""

    __slots__ = ("credit", "queue", "queued", "unreturned")

    def __init__(self) -> None:
        self.credit = WINDOW_BYTES
        self.queue: deque[tuple[FrameKind, bytes]] = deque()
        self.queued = 0
        self.unreturned = 0


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
        self._out: list[bytes] = [handshake.hello()]
        self.state = LinkState.PROVING

    def take(self) -> bytes:
        """Return what is to be sent now, and forget it."""
        out, self._out = self._out, []
        return b"".join(out)

    @property
    def streams(self) -> int:
        """How many sockets and calls are under way."""
        return len(self._streams)

    def new_stream(self) -> int:
        """The number for a stream opened here.

        Raises:
            LinkGarbled: There are too many already.
        """
        self._check_room()
        stream = self._next_stream
        self._next_stream += 2
        self._streams[stream] = _Stream()
        return stream

    def tell(
        self, kind: FrameKind, stream: int, meta: Mapping[str, Any] | None = None, body: bytes = b""
    ) -> None:
        """Send a frame of a stream, behind whatever of it still waits for credit.

        A stream that has ended already is left alone: both sides may end it at once.
        """
        half = self._streams.get(stream)
        if half is None or self.state is LinkState.BROKEN:
            return
        payload = _with_meta(meta or {}, body) if kind in _WITH_META else body
        if half.queue or (kind in _COUNTED and half.credit <= 0):
            half.queue.append((kind, payload))
            half.queued += len(payload)
        else:
            self._send(half, kind, stream, payload)

    def hurry(self, stream: int) -> None:
        """Drop what of a stream waits for credit, but for what closes or ends it."""
        half = self._streams.get(stream)
        if half is None or self.state is LinkState.BROKEN:
            return
        waiting, half.queue, half.queued = half.queue, deque(), 0
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
            self._out.append(encode_frame(FrameKind.CREDIT, stream, payload))

    def waiting_bytes(self, stream: int) -> int:
        """What was told on a stream and not yet taken at the other side."""
        half = self._streams.get(stream)
        return 0 if half is None else half.queued + max(0, WINDOW_BYTES - half.credit)

    def ping(self) -> None:
        """Ask for a sign of life; during the handshake, which is one itself, nothing is sent."""
        if self.state is LinkState.READY:
            self._out.append(encode_frame(FrameKind.PING, 0, b""))

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes as they come.

        Raises:
            LinkGarbled, LinkRefused: The link is over.
        """
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
            self._out.append(self._handshake.receive(frame))
            if self._handshake.state is HandshakeState.DONE:
                self.state = LinkState.READY
                self._reader.limit_bytes = MAX_PAYLOAD_BYTES
                events.append(Ready(self._handshake.peer))
            return
        kind, stream, payload = frame
        if kind is FrameKind.PING:
            self._out.append(encode_frame(FrameKind.PONG, 0, b""))
        elif kind is FrameKind.CREDIT:
            self._credit(stream, payload, events)
        elif kind in {FrameKind.HELLO, FrameKind.PROOF}:
            raise LinkGarbled("a second handshake")
        elif kind is not FrameKind.PONG:
            self._take_told(kind, stream, payload, events)

    def _take_told(self, kind: FrameKind, stream: int, payload: bytes, events: list[Event]) -> None:
        if kind in {FrameKind.OPEN, FrameKind.CALL}:
            self._take_opening(stream)
        elif stream not in self._streams:
            return  # it has ended here meanwhile
        meta, body = _split_meta(payload) if kind in _WITH_META else ({}, payload)
        if kind in _LAST:
            del self._streams[stream]
        events.append(Told(kind, stream, meta, body))

    def _take_opening(self, stream: int) -> None:
        theirs = 0 if self._role is Role.DIALER else 1
        if stream % 2 != theirs or stream in self._streams:
            raise LinkGarbled(f"the stream number {stream} is not theirs to open")
        self._check_room()
        self._streams[stream] = _Stream()

    def _credit(self, stream: int, payload: bytes, events: list[Event]) -> None:
        half = self._streams.get(stream)
        if half is None:
            return
        half.credit += int.from_bytes(payload, "big")
        while half.queue and (half.credit > 0 or half.queue[0][0] not in _COUNTED):
            kind, waiting = half.queue.popleft()
            half.queued -= len(waiting)
            self._send(half, kind, stream, waiting)
        events.append(Taken(stream, self.waiting_bytes(stream)))

    def _send(self, half: _Stream, kind: FrameKind, stream: int, payload: bytes) -> None:
        if kind in _COUNTED:
            half.credit -= len(payload)
        self._out.append(encode_frame(kind, stream, payload))
        if kind in _LAST:
            self._streams.pop(stream, None)

    def _check_room(self) -> None:
        if len(self._streams) >= _STREAMS:
            raise LinkGarbled(f"{len(self._streams)} streams on one link")


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
