"""The frame parser of one socket: picows's protocol object, used for its parsing alone.

picows would answer the handshake, close after a broken frame and write by itself. Here it talks
to a `_Voice`, which lets nothing out: the handshake is over before the parser is made (it is
shown a request of one line instead of the client's, which it would keep), and what it wants to
say about a broken frame is told to the socket.

`picows.picows.WSProtocol` is not exported: picows is pinned to a range, and tests/unit/transport
holds what is relied upon here.
"""

import asyncio
from abc import ABC, abstractmethod
from typing import Any, cast

import structlog
from picows import (
    WSAutoPingStrategy,
    WSListener,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)
from picows import picows as _engine

_READ_BYTES = 2048
"""Where the read buffer begins, the least that picows takes; it doubles when needed, and is given
back (`is_large`, `has_grown`)."""
_ROOMY_BYTES = 1 << 14
_SMALL_READ_BYTES = 1 << 16
_REQUEST = b"GET / HTTP/1.1\r\n\r\n"
_SWITCHING = WSUpgradeResponse.create_101_response(
    {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
)
"""What every parser answers, to nobody. Its headers make a handshake of the request as well:
picows keeps both as long as the socket lives, and so they are one for all."""
_CLOSE = 0x88
_CODE_AT = 2

_log = structlog.get_logger("stateroom.sockets")


FrameParser = asyncio.BufferedProtocol
"""What is used of picows's object."""


class FrameListener(WSListener, ABC):
    """Who hears frames."""

    __slots__ = ()

    @abstractmethod
    def parser_broke(self, code: int) -> None:
        """A frame is broken, and this is the code that says how.

        Called before the whole frame that stands directly before it is given to the listener.
        """


def make_parser(listener: FrameListener, max_frame_bytes: int) -> FrameParser:
    """A parser that gives frames to `listener`."""

    def listen(request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        request.method, request.path, request.version = b"GET", b"/", b"HTTP/1.1"
        request.headers = _SWITCHING.headers
        return WSUpgradeResponseWithListener(_SWITCHING, listener)

    parser = _engine.WSProtocol(  # type: ignore[attr-defined]  # its stub leaves it out
        *("", "", False, listen, _LOGGER, True),
        *(None, False, None, None, WSAutoPingStrategy.PING_WHEN_IDLE, False),
        *(max_frame_bytes, None, _READ_BYTES),
    )
    parser.connection_made(_Voice(listener))
    feed(parser, _REQUEST)
    return cast("FrameParser", parser)


def feed(parser: FrameParser, data: bytes) -> None:
    """Give bytes to a parser that were not read into its buffer."""
    at = 0
    while at < len(data):
        room = _room(parser)
        size = min(len(room), len(data) - at)
        room[:size] = data[at : at + size]
        at += size
        parser.buffer_updated(size)


def free_bytes(parser: FrameParser) -> int:
    """How much of the buffer is free; it changes with whatever comes."""
    return len(_room(parser))


def _room(parser: FrameParser) -> memoryview:
    """Where the next bytes go."""
    return cast("memoryview", parser.get_buffer(-1))


class SmallReads(asyncio.BufferedProtocol):
    """A parser that is given no more than 64 KiB at a time.

    The parser doubles its buffer whenever a read has filled it, so somebody who sends without a
    pause would make it as large as what the operating system holds for them.

    Args:
        parser: The parser.
    """

    def __init__(self, parser: FrameParser) -> None:
        self._parser = parser

    def get_buffer(self, sizehint: int) -> memoryview:
        """See `asyncio.BufferedProtocol.get_buffer`."""
        del sizehint  # it is the loop's wish, which is always the same
        return _room(self._parser)[:_SMALL_READ_BYTES]

    def buffer_updated(self, nbytes: int) -> None:
        """See `asyncio.BufferedProtocol.buffer_updated`."""
        self._parser.buffer_updated(nbytes)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol.connection_lost`."""
        self._parser.connection_lost(exc)

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol.pause_writing`."""
        self._parser.pause_writing()

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol.resume_writing`."""
        self._parser.resume_writing()


def is_large(free: int) -> bool:
    """Whether a buffer with so much free is one to give back when it is empty."""
    return free > _ROOMY_BYTES


def has_grown(free: int) -> bool:
    """Whether a buffer with so much free is larger than where it began."""
    return free > _READ_BYTES


class _NoSocket:
    """Options are the server's business, and nothing is sent by descriptor."""

    def setsockopt(self, *_option: object) -> None:
        """Nothing."""

    def getsockopt(self, *_option: object) -> int:
        """Nothing."""
        return 0

    def fileno(self) -> int:
        """No descriptor."""
        return -1


_NO_SOCKET = _NoSocket()


class _Voice:
    """What the parser takes for its transport."""

    __slots__ = ("_listener",)

    def __init__(self, listener: FrameListener) -> None:
        self._listener = listener

    def get_extra_info(self, name: str) -> Any:
        """`ssl_object` is there, or it would send by descriptor."""
        return {"socket": _NO_SOCKET, "ssl_object": True}.get(name)

    @staticmethod
    def get_write_buffer_size() -> int:
        """Nothing waits. The parser keeps it: a function is one for all, a bound method is not."""
        return 0

    def write(self, data: bytes) -> None:
        """The answer to the handshake, or a close frame for a broken one."""
        if data[0] == _CLOSE:
            self._listener.parser_broke(int.from_bytes(data[_CODE_AT : _CODE_AT + 2], "big"))

    def close(self) -> None:
        """The socket closes itself."""

    abort = close


class _Logger:
    """picows logs each connection and each broken frame; only what must not happen is kept."""

    def isEnabledFor(self, _level: int) -> bool:  # noqa: N802 - its name in `logging`
        """Nothing is."""
        return False

    def info(self, *_message: object) -> None:
        """Nothing."""

    log = debug = warning = error = info

    def exception(self, *_message: object) -> None:
        """A message could not be given on: a fault of ours."""
        _log.error("socket_fault", exc_info=True)


_LOGGER = _Logger()
