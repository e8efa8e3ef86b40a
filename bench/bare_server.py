"""`python -m bench.bare_server PORT BYTES`: writes the same prebuilt bytes to whoever asks.

The least that a server on this event loop can do for many joiners: no room, no replica, no gate.
The first frame of a socket is answered with what looks like hashes, the second one with BYTES.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop

from bench.client import HOST

_HASHES = b"\x81\x06S\n[[]]"
_ACCEPT = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


class Bare(asyncio.Protocol):
    """One socket."""

    def __init__(self, answer: bytes) -> None:
        self._answers = iter((_ACCEPT, _HASHES, answer))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, _data: bytes) -> None:
        """Part of asyncio.Protocol."""
        if (answer := next(self._answers, None)) is not None:
            self._transport.write(answer)


async def serve(port: int, size: int) -> None:
    """Serve until the process is ended."""
    answer = bytes(size)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Bare(answer), HOST, port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
