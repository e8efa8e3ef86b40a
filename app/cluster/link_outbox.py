"""What one side of a link is about to send in one write. Pure.

A message that goes to many streams (a broadcast, whose recipients are connected at the other
worker) is sent once, with the list of streams. The order of one stream is kept; the order
between streams means nothing.
"""

from .link_frames import FrameKind, encode_head, pack_streams

_TEXT, _BINARY = FrameKind.TEXT, FrameKind.BINARY
_TO_MANY = {_TEXT: FrameKind.TEXT_TO_MANY, _BINARY: FrameKind.BINARY_TO_MANY}


class _Entry:
    """A message and the streams that it goes to."""

    __slots__ = ("kind", "payload", "streams")

    def __init__(self, kind: FrameKind, payload: bytes, stream: int) -> None:
        self.kind = kind
        self.payload = payload
        self.streams = [stream]


class LinkOutbox:
    """See the module."""

    __slots__ = ("_entries", "_latest", "_places", "size_bytes")

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._places: dict[int, int] = {}
        self._latest: dict[int, int] = {}
        self.size_bytes = 0
        """Payloads that wait to be taken; one that goes to many counts once."""

    def add(self, kind: FrameKind, stream: int, payload: bytes) -> None:
        """Send a frame behind those of its stream."""
        if kind is _TEXT or kind is _BINARY:  # not a set of kinds: an enum's hash is slow
            # The very same bytes: the entry keeps them alive, so their id is theirs alone.
            place = self._places.get(id(payload))
            if place is not None and place > self._latest.get(stream, -1):
                entry = self._entries[place]
                if entry.kind is kind:
                    entry.streams.append(stream)
                    self._latest[stream] = place
                    return
            self._places[id(payload)] = len(self._entries)
        self._latest[stream] = len(self._entries)
        self._entries.append(_Entry(kind, payload, stream))
        self.size_bytes += len(payload)

    def take(self) -> bytes:
        """Return everything as bytes, and forget it."""
        entries = self._entries
        if not entries:
            return b""
        pieces: list[bytes] = []
        for entry in entries:
            kind, payload, streams = entry.kind, entry.payload, entry.streams
            if len(streams) == 1:
                pieces += (encode_head(kind, streams[0], len(payload)), payload)
            else:
                listed = pack_streams(streams)
                size = len(listed) + len(payload)
                pieces += (encode_head(_TO_MANY[kind], len(streams), size), listed, payload)
        self._entries = []
        self._places.clear()
        self._latest.clear()
        self.size_bytes = 0
        return b"".join(pieces)
