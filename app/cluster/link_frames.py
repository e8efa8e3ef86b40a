"""The frames of a link between two workers, as bytes. Pure.

A frame is a header (payload length, kind, stream) and a payload. A stream is one socket or one
call; its number is made by whoever opens it, odd by the side that dialled, even by the other.
What describes something is JSON, what carries a client's bytes is raw.
"""

import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from ..core.errors import LinkGarbled

_HEADER = struct.Struct(">IBI")
_STREAM_BYTES = 4
MAX_PAYLOAD_BYTES = 32 << 20


class FrameKind(IntEnum):
    """What a frame says. The first three are the handshake, on stream 0."""

    HELLO = 1
    PROOF = 2
    PING = 3
    PONG = 4
    OPEN = 10  # edge -> owner: a client's socket wants this object
    ACCEPT = 11  # owner -> edge: it is in
    REFUSE = 12  # owner -> edge: it is not, and why
    TEXT = 13  # either way
    BINARY = 14  # either way
    CLOSE = 15  # owner -> edge: close the client's socket
    END = 16  # edge -> owner: the client's socket is gone
    CREDIT = 17  # either way: so many more bytes may be sent on this stream
    TEXT_TO_MANY = 18  # either way: `stream` says how many numbers of streams come first
    BINARY_TO_MANY = 19  # likewise
    CALL = 20  # caller -> owner: one request
    ANSWER = 21  # owner -> caller
    FAIL = 22  # owner -> caller
    HEAD = 23  # owner -> caller: the answer begins, its body follows in pieces (BINARY)
    # caller -> owner: that was the last piece of the request's body, or why not. On the stream of
    # a socket, edge -> owner: about the message that follows; older workers take no notice.
    BODY_END = 24


class Frame(NamedTuple):
    """One frame."""

    kind: FrameKind
    stream: int
    payload: bytes


def encode_head(kind: FrameKind, stream: int, size: int) -> bytes:
    """Return the header of a frame whose payload has `size` bytes."""
    return _HEADER.pack(size, kind, stream)


def pack_streams(streams: Sequence[int]) -> bytes:
    """Return numbers of streams as bytes."""
    return struct.pack(f">{len(streams)}I", *streams)


def unpack_streams(count: int, payload: bytes) -> tuple[tuple[int, ...], bytes]:
    """Return the numbers of streams at the head of a payload, and what follows them.

    Raises:
        LinkGarbled: There are not as many.
    """
    size = count * _STREAM_BYTES
    if not 0 < size <= len(payload):
        raise LinkGarbled(f"a message to {count} streams in {len(payload)} bytes")
    return struct.unpack_from(f">{count}I", payload), payload[size:]


def encode_frame(kind: FrameKind, stream: int, payload: bytes) -> bytes:
    """Return a frame as bytes."""
    return _HEADER.pack(len(payload), kind, stream) + payload


class FrameReader:
    """Cuts a byte stream into frames; holds at most one unfinished frame.

    Attributes:
        limit_bytes: The largest payload that is taken; small until the other end is known. It
            may be raised between two frames of one piece.
    """

    def __init__(self, *, limit_bytes: int = MAX_PAYLOAD_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take bytes as they come; give the frames that are complete now, which must all be taken.

        Raises:
            LinkGarbled: A kind nobody knows, or a payload over the limit.
        """
        buffer = self._buffer
        buffer += data
        start = 0
        while len(buffer) - start >= _HEADER.size:
            length, kind, stream = _HEADER.unpack_from(buffer, start)
            if length > self.limit_bytes:
                raise LinkGarbled(f"a frame of {length} bytes")
            end = start + _HEADER.size + length
            if len(buffer) < end:
                break
            yield Frame(_kind(kind), stream, bytes(buffer[start + _HEADER.size : end]))
            start = end
        if start:
            del buffer[:start]


_KINDS = {kind.value: kind for kind in FrameKind}


def _kind(number: int) -> FrameKind:
    kind = _KINDS.get(number)  # looked up for every message; the enum's own way costs more
    if kind is None:
        raise LinkGarbled(f"a frame of the unknown kind {number}")
    return kind
