"""A client that speaks bytes: HTTP requests as text, WebSocket frames as written by hand.

No library stands between, so it can say what no library would: broken frames, requests that are
cut off, sockets that vanish. Reading is always "until this", with a deadline.
"""

import asyncio
import base64
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

DEADLINE_SECONDS = 20.0
TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0
SWITCHING = 101
_MASK = b"\x0f\xf0\x55\xaa"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def frame(
    opcode: int, payload: bytes, *, final: bool = True, masked: bool = True, reserved: int = 0
) -> bytes:
    """Return one WebSocket frame of a client."""
    first = (0x80 if final else 0) | reserved << 4 | opcode
    flag = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head = bytes((first, flag | size))
    elif size < 1 << 16:
        head = bytes((first, flag | 126)) + struct.pack("!H", size)
    else:
        head = bytes((first, flag | 127)) + struct.pack("!Q", size)
    return head + (_MASK + _masked(payload) if masked else payload)


def text_frame(text: str | bytes) -> bytes:
    return frame(TEXT, text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)


def close_frame(code: int | None = None, reason: str = "") -> bytes:
    body = b"" if code is None else struct.pack("!H", code) + reason.encode()
    return frame(CLOSE, body)


def upgrade_request(
    target: str | bytes,
    *,
    headers: Sequence[tuple[str, str]] = (),
    protocols: Sequence[str] = (),
    host: str = "127.0.0.1",
) -> bytes:
    """Return the request of a WebSocket handshake."""
    path = target.encode() if isinstance(target, str) else target
    lines = [
        ("Host", host),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", base64.b64encode(os.urandom(16)).decode()),
        *headers,
    ]
    if protocols:
        lines.append(("Sec-WebSocket-Protocol", ", ".join(protocols)))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return b"GET " + path + b" HTTP/1.1\r\n" + head.encode("latin-1") + b"\r\n"


class WireSocket:
    """One TCP connection to the server. Those that a test leaves open vanish at its end."""

    opened: ClassVar[list["WireSocket"]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.answer: Answer | None = None
        self.opened.append(self)

    @classmethod
    async def dial(cls, port: int, *, read_limit: int = 1 << 16) -> Self:
        """Connect, and say nothing yet. `read_limit` bounds what is read ahead of the test."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=read_limit)
        return cls(reader, writer)

    @classmethod
    async def open(
        cls,
        port: int,
        target: str | bytes,
        *,
        headers: Sequence[tuple[str, str]] = (),
        protocols: Sequence[str] = (),
        host: str = "127.0.0.1",
        first: bytes = b"",
    ) -> Self:
        """Ask for a WebSocket; `answer` tells what came of it. `first` goes along unasked."""
        wire = await cls.dial(port)
        request = upgrade_request(target, headers=headers, protocols=protocols, host=host)
        wire.write(request + first)
        await wire.read_answer()
        return wire

    @property
    def status(self) -> int:
        """The status of the handshake."""
        assert self.answer is not None
        return self.answer.status

    def write(self, data: bytes) -> None:
        """Hand bytes to the operating system, or queue them."""
        self.writer.write(data)

    async def send(self, data: bytes) -> None:
        """Write and wait until not much is queued."""
        self.writer.write(data)
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self.writer.drain()

    async def say(self, *texts: str | bytes) -> None:
        """Send text messages, in one write."""
        await self.send(b"".join(text_frame(text) for text in texts))

    async def read_answer(self, *, bodiless: bool = False) -> Answer:
        """Read an HTTP answer with its body."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            head = await self.reader.readuntil(b"\r\n\r\n")
            status_line, *lines = head.decode("latin-1").rstrip().split("\r\n")
            headers = {
                name.strip().lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines)
            }
            status = int(status_line.split()[1])
            body = b""
            if status != SWITCHING and not bodiless:
                if "content-length" in headers:
                    body = await self.reader.readexactly(int(headers["content-length"]))
                elif headers.get("connection") == "close":
                    body = await self.reader.read()
        self.answer = Answer(status=status, headers=headers, body=body)
        return self.answer

    async def read_frame(self, *, patient: bool = False) -> tuple[int, bytes]:
        """Read one frame of the server: opcode and payload. Raises IncompleteReadError at the end.

        Servers neither mask nor, ours, fragment. Who is `patient` waits for it as long as it takes.
        """
        async with asyncio.timeout(None if patient else DEADLINE_SECONDS):
            first, second = await self.reader.readexactly(2)
            assert first & 0x80, "a fragment"
            size = second & 127
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return first & 15, await self.reader.readexactly(size)

    async def read_message(self, *, patient: bool = False) -> str | bytes:
        """Read the next message; pings are answered on the way. Raises at a close frame."""
        while True:
            opcode, payload = await self.read_frame(patient=patient)
            if opcode == TEXT:
                return payload.decode()
            if opcode == BINARY:
                return payload
            if opcode == PING:
                self.write(frame(PONG, payload))
                continue
            raise ConnectionError(f"opcode {opcode} with {payload[:80]!r}")

    async def closed(self) -> tuple[int, str]:
        """Read until the server's close frame; answer it; return code and reason.

        (1006, "") when the connection ended without one.
        """
        try:
            while True:
                opcode, payload = await self.read_frame()
                if opcode == CLOSE:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            return (1006, "")
        if not payload:
            return (1005, "")
        (code,) = struct.unpack("!H", payload[:2])
        self.write(frame(CLOSE, payload[:2]))
        return code, payload[2:].decode()

    async def ended(self) -> bytes:
        """Read until the server has ended the TCP connection; return what came."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await self.reader.read(-1)
        except ConnectionError:
            return b""

    def vanish(self) -> None:
        """Be gone without a word: the server's next read fails (RST)."""
        sock: socket.socket | None = self.writer.get_extra_info("socket")
        if sock is not None and not self.writer.is_closing():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        """End the TCP connection."""
        self.writer.close()
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                await self.writer.wait_closed()
        except OSError:
            pass


async def drop_open_sockets() -> None:
    """Let every socket vanish that is still there."""
    wires, WireSocket.opened = WireSocket.opened, []
    for wire in wires:
        wire.vanish()
    for wire in wires:
        await wire.close()


async def exchange(port: int, request: bytes, *, bodiless: bool = False) -> Answer:
    """Send one request as it is and return the answer."""
    wire = await WireSocket.dial(port)
    try:
        await wire.send(request)
        return await wire.read_answer(bodiless=bodiless)
    finally:
        await wire.close()


def request_text(
    method: str,
    target: str,
    *,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    host: str = "127.0.0.1",
    close: bool = True,
) -> bytes:
    """Return a plain HTTP request that asks for the connection to be closed, or does not."""
    lines = [("Host", host), *([("Connection", "close")] if close else []), *headers]
    if body:
        lines.append(("Content-Length", str(len(body))))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


def _masked(payload: bytes) -> bytes:
    size = len(payload)
    key = _MASK * (size // 4 + 1)
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(key[:size], "big")
    return mixed.to_bytes(size, "big")
