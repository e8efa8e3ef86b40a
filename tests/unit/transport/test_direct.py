"""The direct door without a network: bytes in, and a transport that writes down what it hears."""

import asyncio
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from app.transport.direct import DIRECT_EXTENSION, DirectWebSocketProtocol
from app.transport.door import DirectSocket
from tests.integration.web.wire_socket import text_frame, upgrade_request


class Wire(asyncio.Transport):
    """The other side of the protocol."""

    def __init__(self) -> None:
        super().__init__()
        self._reading = True
        self.closing = False
        self.written = b""

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
        return 0


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


async def test_a_message_that_comes_before_the_door_is_taken_does_not_stop_the_reading() -> None:
    protocol, wire, application = await open_socket()
    protocol.data_received(text_frame("early") + text_frame("too"))
    assert not wire.is_read()
    await attach(application)
    assert wire.is_read()
    assert application.sink.heard == ["early", "too"]
    protocol.data_received(text_frame("late"))
    assert application.sink.heard == ["early", "too", "late"]
    await end(protocol)


async def test_what_was_read_already_waits_during_a_pause() -> None:
    protocol, wire, application = await open_socket()
    await attach(application)
    door, sink = application.sink.door, application.sink
    assert door is not None
    protocol.data_received(b"".join(text_frame(text) for text in ("a", "stop", "b", "stop", "c")))
    assert sink.heard == ["a", "stop"]
    assert not wire.is_read()
    door.resume_reading()
    await turns()
    assert sink.heard == ["a", "stop", "b", "stop"]
    assert not wire.is_read()
    door.resume_reading()
    await turns()
    assert sink.heard == ["a", "stop", "b", "stop", "c"]
    assert wire.is_read()
    await end(protocol)


async def test_the_end_is_told_when_everything_before_it_was_heard() -> None:
    protocol, _, application = await open_socket()
    await attach(application)
    door, sink = application.sink.door, application.sink
    assert door is not None
    protocol.data_received(text_frame("stop") + text_frame("last"))
    waiting = asyncio.get_running_loop().create_task(door.delivered())
    await turns()
    assert not waiting.done()
    door.resume_reading()
    await turns()
    assert waiting.done()
    assert sink.heard == ["stop", "last"]
    await end(protocol)


async def test_a_closed_door_forgets_what_it_held_back() -> None:
    protocol, wire, application = await open_socket()
    await attach(application)
    door, sink = application.sink.door, application.sink
    assert door is not None
    protocol.data_received(text_frame("stop") + text_frame("unheard"))
    door.close(1000, "")
    await door.delivered()
    assert wire.is_read()  # for the answer to the close frame
    assert sink.heard == ["stop"]
    await end(protocol)


async def test_a_request_that_the_engine_refuses_is_answered() -> None:
    config = uvicorn.Config(Application(), log_config=None)
    config.load()
    for request, status in (
        (upgrade_request("/room").replace(b"GET", b"POST"), b"HTTP/1.1 4"),
        (upgrade_request("/" + "p" * 10_000), b"HTTP/1.1 414"),
        (upgrade_request("/room", headers=[("X", "x" * 10_000)]), b"HTTP/1.1 431"),
        (upgrade_request("/room", headers=[("Content-Length", "5")]), b"HTTP/1.1 400"),
    ):
        protocol = DirectWebSocketProtocol(config, ServerState(), {})
        wire = Wire()
        protocol.connection_made(wire)
        protocol.data_received(request)
        assert wire.written.startswith(status)
        assert wire.closing
        protocol.connection_lost(None)
