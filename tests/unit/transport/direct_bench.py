"""The direct door without a network: bytes in, and a transport that writes down what it hears."""

import asyncio
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from app.transport.direct import DIRECT_EXTENSION, DirectWebSocketProtocol
from app.transport.door import DirectSocket
from tests.integration.web.wire_socket import upgrade_request


class Wire(asyncio.Transport):
    """The other side of the protocol."""

    def __init__(self) -> None:
        super().__init__()
        self._reading = True
        self.closing = False
        self.written = b""
        self.unsent = 0

    def is_read(self) -> bool:
        return self._reading

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True

    def get_write_buffer_size(self) -> int:
        return self.unsent


class Sink:
    """An object that may ask for a pause."""

    def __init__(self) -> None:
        self.door: DirectSocket | None = None
        self.heard: list[str | bytes] = []

    def receive(self, message: str | bytes) -> None:
        self.heard.append(message)
        if message == "stop" and self.door is not None:
            self.door.pause_reading()

    def ended(self, code: int, reason: str, *, clean: bool) -> None:
        """Not of interest here."""


class Application:
    """Accepts, and takes the socket over when the test says so."""

    def __init__(self) -> None:
        self.sink = Sink()
        self.accepted = asyncio.Event()
        self.attach = asyncio.Event()
        self.attached = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        self.accepted.set()
        await self.attach.wait()
        door = self.sink.door = scope["extensions"][DIRECT_EXTENSION]["socket"]
        door.attach(self.sink)
        self.attached.set()
        await receive()


async def open_socket() -> tuple[DirectWebSocketProtocol, Wire, Application]:
    application = Application()
    config = uvicorn.Config(application, log_config=None, ws_ping_interval=None)
    config.load()
    protocol = DirectWebSocketProtocol(config, ServerState(), {})
    wire = Wire()
    protocol.connection_made(wire)
    protocol.data_received(upgrade_request("/room"))
    await application.accepted.wait()
    return protocol, wire, application


async def attach(application: Application) -> None:
    application.attach.set()
    await application.attached.wait()


async def end(protocol: DirectWebSocketProtocol) -> None:
    protocol.connection_lost(None)
    await asyncio.gather(*protocol.tasks)


async def turns(count: int = 5) -> None:
    for _ in range(count):
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(over.set_result, None)
        await over
