"""Clients that come, say at most one thing, and then only answer pings.

They ask for the upgrade as Chrome does: a server that keeps the head of the request pays for a
real one.
"""

from __future__ import annotations

import asyncio
import base64
import os
import resource
from typing import TYPE_CHECKING, cast

from bench.client import HOST
from bench.frames import PING, PONG, masked, take_frames

if TYPE_CHECKING:
    from collections.abc import Callable

OPEN_SECONDS = 30.0
OPENERS = 32
"""So many connect at a time."""
SPARE_DESCRIPTORS = 200
_BROWSER = (
    "Pragma: no-cache\r\nCache-Control: no-cache\r\nOrigin: http://127.0.0.1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-US,en;q=0.9\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
)


class Idler(asyncio.Protocol):
    """One client. `opened` is done when the server has answered."""

    def __init__(self, path: str, message: bytes) -> None:
        self._path = path
        self._message = message
        self._buffer = bytearray()
        self._upgraded = False
        self._transport: asyncio.Transport | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self._transport = cast("asyncio.Transport", transport)
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(
            (
                f"GET /{self._path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\n{_BROWSER}"
                f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
                "\r\n"
            ).encode()
        )

    def data_received(self, data: bytes) -> None:
        """Hear the answer, then pings; what the server says besides is not listened to."""
        self._buffer += data
        if not self._upgraded:
            head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not found:
                return
            self._buffer, self._upgraded = bytearray(rest), True
            self._begin(head)
        for frame in take_frames(self._buffer):
            if frame.opcode == PING and self._transport is not None:
                self._transport.write(masked(frame.payload, PONG))

    def connection_lost(self, exc: Exception | None) -> None:
        """The server has ended it, or we have."""
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(f"no answer: {exc}"))

    def leave(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def connected(self) -> bool:
        """Whether the server has kept it."""
        return self._transport is not None and not self._transport.is_closing()

    def _begin(self, head: bytes) -> None:
        if self.opened.done():  # nobody waits any more: it took too long
            self.leave()
            return
        if b" 101 " not in head.partition(b"\r\n")[0]:
            self.opened.set_exception(ConnectionError(head.decode(errors="replace")[:200]))
            return
        if self._message and self._transport is not None:
            self._transport.write(masked(self._message))
        self.opened.set_result(None)


class IdlerCrowd:
    """Any number of them.

    Args:
        port: Of the server.
        path_of: The room of the client with this number.
        message_of: What that client says once it is in; empty for nothing.
    """

    def __init__(
        self, port: int, path_of: Callable[[int], str], message_of: Callable[[int], bytes]
    ) -> None:
        self._port = port
        self._path_of = path_of
        self._message_of = message_of
        self._idlers: list[Idler] = []

    async def grow_to(self, count: int, opened: Callable[[], None]) -> None:
        """Connect more, until there are so many.

        Raises:
            ConnectionError: The server refused one.
        """
        numbers = iter(range(len(self._idlers), count))

        async def open_some() -> None:
            for number in numbers:
                await self._open(number)
                opened()

        async with asyncio.TaskGroup() as group:
            for _ in range(OPENERS):
                group.create_task(open_some())

    def shrink_to_none(self) -> None:
        """Let all leave."""
        for idler in self._idlers:
            idler.leave()
        self._idlers.clear()

    @property
    def lost(self) -> int:
        """How many the server has dropped."""
        return sum(not idler.connected for idler in self._idlers)

    async def _open(self, number: int) -> None:
        idler = Idler(self._path_of(number), self._message_of(number))
        async with asyncio.timeout(OPEN_SECONDS):
            await asyncio.get_running_loop().create_connection(lambda: idler, HOST, self._port)
            await idler.opened
        self._idlers.append(idler)


def allow_descriptors(count: int) -> int:
    """Let this process and its children hold so many sockets; return how many they may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + SPARE_DESCRIPTORS
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft - SPARE_DESCRIPTORS
