"""A client that speaks bytes to an object of the harness, through the server's own engine.

No network and no time: bytes go in by hand, what is written is read back as frames, and the
engine's clock is moved by the test.
"""

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.cli.server import socket_engine
from app.core.handshakes import Handshake, OfferedSocket
from app.sdk import Request
from app.settings import load_settings
from app.testing.clock import FakeClock
from app.testing.harness import ObjectHarness
from app.transport.shared import NoServer
from tests.integration.web.wire_socket import upgrade_request
from tests.unit.transport.socket_bench import Wire, turns

Frame = tuple[int, bytes]


class WiredClient:
    """See the module.

    Attributes:
        wire: What the server's side writes to.
        clock: The time of the server's side.
    """

    def __init__(self, wire: Wire, clock: FakeClock) -> None:
        self.wire = wire
        self.clock = clock

    @property
    def protocol(self) -> Any:
        """The server's side."""
        return self.wire.protocol

    def say(self, data: bytes) -> None:
        """Send bytes to the server."""
        self.wire.feed(data)

    def take(self) -> list[Frame]:
        """The frames that came since the last time: opcode and payload of each."""
        data, self.wire.written = self.wire.written, b""
        frames: list[Frame] = []
        while data:
            first, size = data[0], data[1]
            at = 2
            if size == 126:
                (size,) = struct.unpack_from("!H", data, at)
                at += 2
            elif size == 127:
                (size,) = struct.unpack_from("!Q", data, at)
                at += 8
            assert len(data) >= at + size, "half a frame"
            frames.append((first & 15, data[at : at + size]))
            data = data[at + size :]
        return frames


class _Gate:
    """Brings the socket to its object, as the gateway does."""

    def __init__(self, harness: ObjectHarness, name: str) -> None:
        self._harness = harness
        self._name = name

    async def decide(self, _handshake: Handshake, offer: OfferedSocket) -> None:
        object_id = self._harness.object_id("hall", self._name)
        await self._harness.registry.room(object_id)
        transport = offer.accept(None)
        transport.attach(
            await self._harness.registry.connect(object_id, Request(), transport, "wired")
        )


@asynccontextmanager
async def wired(
    harness: ObjectHarness, name: str = "a", **settings: Any
) -> AsyncIterator[WiredClient]:
    """A client of an object mounted as `hall`; its connection is gone at the end."""
    clock, server = FakeClock(), NoServer()
    engine = socket_engine(_Gate(harness, name), load_settings(**settings), clock)
    assert engine is not None
    protocol = engine.protocol(config=None, server_state=server, app_state={})
    wire = Wire()
    protocol.connection_made(wire)
    protocol.data_received(upgrade_request("/room"))
    wire.set_protocol(protocol)
    await harness.settle()
    assert wire.written.startswith(b"HTTP/1.1 101 ")
    wire.written = b""
    try:
        yield WiredClient(wire, clock)
    finally:
        await turns()
        wire.lose()
        await engine.close()
