"""A client that speaks bytes to an object of the harness, through the server's own protocol class.

No network and no time: bytes go in by hand, what is written is read back as frames, and the
timers of the keepalive are fired by the test.
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.websockets import WebSocket
from uvicorn.server import ServerState

from app.cli.server import uvicorn_config
from app.sdk import Request
from app.settings import load_settings
from app.testing.harness import ObjectHarness
from app.transport.direct import DIRECT_EXTENSION, DirectWebSocketProtocol
from app.web.sockets import _pump
from tests.integration.web.wire_socket import upgrade_request
from tests.unit.transport.direct_bench import Wire

Frame = tuple[int, bytes]


class WiredClient:
    """See the module.

    Attributes:
        protocol: The server's side.
        wire: What it writes to.
    """

    def __init__(self, protocol: DirectWebSocketProtocol, wire: Wire) -> None:
        self.protocol = protocol
        self.wire = wire

    def say(self, data: bytes) -> None:
        """Send bytes to the server."""
        self.protocol.data_received(data)

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


class _Server:
    """Brings the socket to its object, as the gateway does."""

    def __init__(self, harness: ObjectHarness, name: str) -> None:
        self._harness = harness
        self._name = name
        self.joined = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        websocket = WebSocket(scope, receive, send)
        await websocket.accept()
        door = scope["extensions"][DIRECT_EXTENSION]["socket"]
        object_id = self._harness.object_id("hall", self._name)
        sink = await self._harness.registry.connect(object_id, Request(), door, "wired")
        self.joined.set()
        await _pump(websocket, door, sink)


@asynccontextmanager
async def wired(
    harness: ObjectHarness, name: str = "a", **settings: Any
) -> AsyncIterator[WiredClient]:
    """A client of an object mounted as `hall`; its connection is gone at the end."""
    server = _Server(harness, name)
    config = uvicorn_config(server, load_settings(**settings))
    config.load()
    protocol = DirectWebSocketProtocol(config, ServerState(), {})
    wire = Wire()
    protocol.connection_made(wire)
    protocol.data_received(upgrade_request("/room"))
    await server.joined.wait()
    await harness.settle()
    wire.written = b""
    try:
        yield WiredClient(protocol, wire)
    finally:
        protocol.connection_lost(None)
        await asyncio.gather(*protocol.tasks)
