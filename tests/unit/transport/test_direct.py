"""The direct door: messages as they are parsed, pauses, and ends."""

import asyncio

import uvicorn
from uvicorn.server import ServerState

from app.transport.direct import DirectWebSocketProtocol
from tests.integration.web.wire_socket import text_frame, upgrade_request

from .direct_bench import Application, Wire, attach, end, open_socket, turns


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
