"""One simulated client: a raw asyncio protocol that speaks just enough WebSocket.

What arrives goes to a `Receiver`. Chunks are offered whole first (`chunk`), because in a crowd
every recipient gets the same bytes and the receiver can recognise them without parsing again.
"""

from __future__ import annotations

import asyncio
import base64
import os
from typing import Protocol, cast

from bench.frames import CLOSE, CONTINUATION, PING, PONG, TEXT, handshake, masked, take_frames

HOST = "127.0.0.1"
CONNECT_TIMEOUT_SECONDS = 30.0


class Receiver(Protocol):
    """Who a client hands its input to."""

    def chunk(self, client: Client, data: bytes) -> bool:
        """Take a chunk that starts at a frame boundary; False means: parse it for me."""
        ...

    def text(self, client: Client, payload: bytes) -> None:
        """Take one text message."""
        ...

    def lost(self, client: Client, reason: str) -> None:
        """Hear that the server ended the connection."""
        ...


class Client(asyncio.Protocol):
    """A connected client with the number `index` in its room. Make it with `connect`."""

    _transport: asyncio.Transport

    def __init__(self, receiver: Receiver, index: int) -> None:
        self.index = index
        self._receiver = receiver
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._upgraded = False
        self._closing = False
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def open(self, port: int, path: str) -> None:
        """Shake hands; raises ConnectionError if the server refuses."""
        key = base64.b64encode(os.urandom(16)).decode()
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
            await asyncio.get_running_loop().create_connection(lambda: self, HOST, port)
            self._transport.write(handshake(HOST, port, path, key))
            await self._opened

    def send(self, payload: bytes) -> None:
        """Write one text frame."""
        self._transport.write(masked(payload))

    def close(self) -> None:
        """Say goodbye and drop the connection without waiting for an answer."""
        self._closing = True
        if self._transport.is_closing():
            return
        self._transport.write(masked(b"\x03\xe8", CLOSE))
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol."""
        if self._upgraded and not self._buffer and self._receiver.chunk(self, data):
            return
        self._buffer += data
        if not self._upgraded and not self._take_answer():
            return
        for opcode, final, payload in take_frames(self._buffer):
            if opcode in (TEXT, CONTINUATION):
                self._parts.append(payload)
                if final:
                    text = b"".join(self._parts)
                    self._parts.clear()
                    self._receiver.text(self, text)
            else:
                self._control(opcode, payload)

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol."""
        self._lost(f"connection lost ({exc or 'end of stream'})")

    def _take_answer(self) -> bool:
        head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if not found:
            return False
        status = head.split(b"\r\n", 1)[0]
        if status.split(b" ")[1:2] != [b"101"]:
            self._lost(f"handshake refused: {status.decode('latin-1')}")
            return False
        self._buffer = bytearray(rest)
        self._upgraded = True
        if not self._opened.done():
            self._opened.set_result(None)
        return True

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self._transport.write(masked(payload, PONG))
        elif opcode == CLOSE:
            code = int.from_bytes(payload[:2], "big")
            self._lost(f"closed by the server: {code} {payload[2:].decode(errors='replace')}")

    def _lost(self, reason: str) -> None:
        if not self._opened.done():
            self._opened.set_exception(ConnectionError(reason))
        elif not self._closing:
            self._closing = True
            self._receiver.lost(self, reason)


async def connect(receiver: Receiver, index: int, port: int, path: str) -> Client:
    """Return a client that has joined the room `path`."""
    client = Client(receiver, index)
    await client.open(port, path)
    return client
