"""The WebSocket engine without a network: bytes in, and a transport that writes down what it hears.

The gate of the bench accepts at once, or when the test says so.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from app.core.handshakes import Handshake, OfferedSocket, Refusal
from app.core.sockets import SocketEnd, SocketTransport
from app.testing.clock import FakeClock
from app.transport.engine import SocketEngine
from app.transport.shared import NoServer
from tests.integration.web.wire_socket import upgrade_request

LARGEST = 1 << 20


class Wire(asyncio.Transport):
    """The other side of the protocol."""

    def __init__(self) -> None:
        super().__init__()
        self._reading = True
        self.protocol: Any = None
        self.reader: Any = None
        self.closing = False
        self.aborted = False
        self.written = b""
        self.writes = 0
        self.unsent = 0

    def feed(self, data: bytes) -> None:
        """Let bytes come, as an event loop reads them; what comes while paused is an error."""
        while data:
            assert self._reading, "it is not read"
            if not isinstance(self.protocol, asyncio.BufferedProtocol):
                self.protocol.data_received(data)
                return
            room = self.protocol.get_buffer(-1)
            size = min(len(room), len(data))  # type: ignore[arg-type]  # it is a memoryview
            room[:size] = data[:size]  # type: ignore[index]  # the same
            data = data[size:]
            self.protocol.buffer_updated(size)

    def lose(self) -> None:
        """Let the connection be over."""
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            protocol.connection_lost(None)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol
        if isinstance(protocol, asyncio.Protocol):  # as in uvloop, a buffered one leaves it
            self.reader = protocol.data_received

    def get_protocol(self) -> asyncio.BaseProtocol:
        found: asyncio.BaseProtocol = self.protocol
        return found

    def is_read(self) -> bool:
        return self._reading

    def is_dropped(self) -> bool:
        return self.aborted

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True

    def write(self, data: Any) -> None:
        self.written += bytes(data)
        self.writes += 1

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True

    def get_write_buffer_size(self) -> int:
        return self.unsent


class Sink:
    """An object that may ask for a pause."""

    def __init__(self) -> None:
        self.transport: SocketTransport | None = None
        self.heard: list[str | bytes] = []
        self.ends: list[SocketEnd] = []

    def receive(self, message: str | bytes) -> None:
        assert not self.ends, "a message behind the end"
        self.heard.append(message)
        if message == "stop" and self.transport is not None:
            self.transport.pause_reading()

    def ended(self, code: int, reason: str, *, clean: bool) -> None:
        self.ends.append(SocketEnd(code, reason, clean=clean))


class Gate:
    """Accepts; with `slow`, in a task and when the test says so."""

    def __init__(self, *, slow: bool = False) -> None:
        self.sink = Sink()
        self.asked: list[Handshake] = []
        self.offer: OfferedSocket | None = None
        self.refusal: Refusal | None = None
        self.decided = asyncio.Event()
        self.joined = asyncio.Event()
        self.joined.set()
        self._slow = slow

    def decide(
        self, handshake: Handshake, offer: OfferedSocket
    ) -> Coroutine[Any, Any, None] | None:
        self.asked.append(handshake)
        self.offer = offer
        if self._slow:
            return self._later(offer)
        self._answer(offer)
        return None

    async def _later(self, offer: OfferedSocket) -> None:
        await self.decided.wait()
        if self.refusal is not None:
            offer.refuse(self.refusal)
            return
        transport = offer.accept(None)
        await self.joined.wait()
        self.sink.transport = transport
        transport.attach(self.sink)

    def _answer(self, offer: OfferedSocket) -> None:
        if self.refusal is not None:
            offer.refuse(self.refusal)
            return
        self.sink.transport = transport = offer.accept(None)
        transport.attach(self.sink)


class Bench:
    """One connection to an engine of its own."""

    def __init__(
        self,
        gate: Any,
        *,
        request: bytes | None = None,
        wire: Wire | None = None,
        adopted: bool = False,
    ) -> None:
        self.clock = FakeClock()
        self.server = NoServer()
        engine = self.engine = SocketEngine(
            gate, clock=self.clock, max_frame_bytes=LARGEST, ping_seconds=20.0, pong_seconds=20.0
        )
        engine.serve_for(self.server)
        wire = self.wire = wire or Wire()
        if adopted:
            protocol = engine.adopted()
            wire.set_protocol(protocol)
        else:
            protocol = engine.protocol(config=None, server_state=self.server, app_state={})
        protocol.connection_made(wire)
        protocol.data_received(upgrade_request("/room") if request is None else request)
        if not adopted:  # uvicorn does it behind the request
            wire.set_protocol(protocol)

    async def end(self) -> None:
        """Let the connection be over, and everything that waits for it."""
        self.wire.lose()
        await self.engine.close()
        await turns()
        assert not self.server.connections


async def open_socket() -> tuple[Bench, Sink]:
    """A socket whose handshake is over."""
    gate = Gate()
    bench = Bench(gate)
    await turns()
    assert bench.wire.written.startswith(b"HTTP/1.1 101 ")
    bench.wire.written = b""
    return bench, gate.sink


async def turns(count: int = 5) -> None:
    """Let the event loop go round some times."""
    for _ in range(count):
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(over.set_result, None)
        await over
