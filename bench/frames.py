"""The client half of WebSocket framing (RFC 6455), as little as a load generator needs.

No extensions are offered. Frames to the server are masked with a real, non-zero mask: some servers
skip the work for a zero mask, and browsers never send one.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import NamedTuple

CONTINUATION, TEXT, CLOSE, PING, PONG = 0x0, 0x1, 0x8, 0x9, 0xA
_MASK = b"\x37\xfa\x21\x3d"


class Frame(NamedTuple):
    """One frame from the server."""

    opcode: int
    final: bool
    payload: bytes


def handshake(host: str, port: int, path: str, key: str) -> bytes:
    """Return the upgrade request for `/path`; `key` is 24 characters of base 64."""
    return (
        f"GET /{path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


@lru_cache(maxsize=4096)
def _head_and_mask(opcode: int, length: int) -> tuple[bytes, int]:
    first = 0x80 | opcode
    if length < 126:
        head = struct.pack("!BB", first, 0x80 | length)
    elif length < 65536:
        head = struct.pack("!BBH", first, 0x80 | 126, length)
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, length)
    stretched = (_MASK * (length // 4 + 1))[:length]
    return head + _MASK, int.from_bytes(stretched, "big")


def masked(payload: bytes, opcode: int = TEXT) -> bytes:
    """Return a final client frame that carries `payload`."""
    length = len(payload)
    head, mask = _head_and_mask(opcode, length)
    return head + (int.from_bytes(payload, "big") ^ mask).to_bytes(length, "big")


def _measure(data: bytes | bytearray, start: int) -> tuple[int, int] | None:
    """Return where the payload of the frame at `start` begins and ends, None if it is cut off."""
    available = len(data)
    if available < start + 2:
        return None
    length, begin = data[start + 1], start + 2
    if length == 126:
        begin += 2
        if available < begin:
            return None
        length = int.from_bytes(data[begin - 2 : begin], "big")
    elif length == 127:
        begin += 8
        if available < begin:
            return None
        length = int.from_bytes(data[begin - 8 : begin], "big")
    end = begin + length
    return (begin, end) if end <= available else None


def take_frames(buffer: bytearray) -> list[Frame]:
    """Remove all complete server frames from the front of `buffer` and return them in order."""
    frames: list[Frame] = []
    start = 0
    while (place := _measure(buffer, start)) is not None:
        first = buffer[start]
        frames.append(Frame(first & 0x0F, bool(first & 0x80), bytes(buffer[slice(*place)])))
        start = place[1]
    del buffer[:start]
    return frames


def whole_texts(data: bytes) -> list[bytes] | None:
    """Return the texts in `data` if it is nothing but complete, unfragmented text frames."""
    texts: list[bytes] = []
    start, end = 0, len(data)
    while start < end:
        place = _measure(data, start)
        if place is None or data[start] != 0x80 | TEXT:
            return None
        texts.append(data[slice(*place)])
        start = place[1]
    return texts
