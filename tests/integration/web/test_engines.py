"""Which engine carries sockets, and compression: offered by a setting, bounded, and no duty."""

import asyncio
import zlib

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate

from app.transport.servers_socket import ServersSocket

from .conftest import StartService
from .objects import Doorkeeper, Speaker
from .patience import until
from .running_service import RunningService, ServerKind
from .wire_socket import CONTINUATION, TEXT, WireSocket, frame, text_frame

OFFER = [("Sec-WebSocket-Extensions", "permessage-deflate")]
LARGEST = 1 << 20
COMPRESSED = 4
"""The first reserved bit."""


@pytest.fixture(scope="module")
def deflating(start_service: StartService) -> RunningService:
    return start_service(
        ServerKind.DIRECT, socket_deflate=True, max_frame_bytes=LARGEST, mailbox_bytes=LARGEST
    )


@pytest.fixture(scope="module")
def plain(start_service: StartService) -> RunningService:
    return start_service(ServerKind.DIRECT, socket_engine="uvicorn")


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-12)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


async def test_a_client_that_asks_for_compression_gets_it(
    deflating: RunningService, name: str
) -> None:
    wire = await WireSocket.open(deflating.port, f"/objects/speaker/{name}", headers=OFFER)
    assert wire.answer is not None
    assert wire.answer.headers["sec-websocket-extensions"].startswith("permessage-deflate")
    await wire.send(frame(TEXT, deflated(b"hello " * 1_000), reserved=COMPRESSED))
    first, size = await wire.reader.readexactly(2)
    assert first == 0xC1
    answer = await wire.reader.readexactly(size)
    unpacker = zlib.decompressobj(wbits=-15)
    assert unpacker.decompress(answer + b"\x00\x00\xff\xff") == b"hello " * 1_000
    assert Speaker.heard[name] == ["hello " * 1_000]


async def test_a_client_that_does_not_ask_is_served_without(
    deflating: RunningService, name: str
) -> None:
    wire = await WireSocket.open(deflating.port, f"/objects/speaker/{name}")
    assert wire.answer is not None
    assert "sec-websocket-extensions" not in wire.answer.headers
    await wire.say("hello")
    assert await wire.read_frame() == (TEXT, b"hello")


async def test_what_becomes_too_large_when_it_is_inflated_is_closed_with_1009(
    deflating: RunningService, name: str
) -> None:
    wire = await WireSocket.open(deflating.port, f"/objects/speaker/{name}", headers=OFFER)
    bomb = deflated(bytes(100 << 20))
    assert len(bomb) < LARGEST // 8
    await wire.send(frame(TEXT, bomb, reserved=COMPRESSED))
    assert (await wire.closed())[0] == 1009
    assert Speaker.heard[name] == []


def socket_of(service: RunningService, wire: WireSocket) -> ServersSocket:
    """The server's side of a connection, to be looked at on the service's loop."""
    assert service._server is not None
    client = wire.writer.get_extra_info("sockname")
    (found,) = (
        each
        for each in service._server.server_state.connections
        if isinstance(each, ServersSocket) and each.client == tuple(client)
    )
    return found


async def test_a_flood_of_small_bombs_is_inflated_no_faster_than_its_room_takes_it(
    deflating: RunningService, name: str
) -> None:
    wire = await WireSocket.open(deflating.port, f"/objects/door/{name}", headers=OFFER)
    one = frame(TEXT, deflated(bytes(LARGEST)), reserved=COMPRESSED)
    assert len(one) < 1_200
    wire.write(one * 1_000)

    async def inflated() -> tuple[bool, int]:
        server = socket_of(deflating, wire)
        waiting = [message.get("text", "") for message in server.queue._queue]  # type: ignore[attr-defined]  # a deque
        return server.read_paused, sum(map(len, waiting))

    async def held_back() -> bool:
        paused, _ = await deflating.do(inflated)
        return bool(paused)

    await until(held_back)
    for _ in range(20):
        _, size = await deflating.do(inflated)
        assert size <= 3 * LARGEST

    async def let_them_in() -> None:
        Doorkeeper.doors.setdefault(name, asyncio.Event()).set()

    await deflating.do(let_them_in)
    for _ in range(20):
        assert (await wire.read_frame())[0] == TEXT
        _, size = await deflating.do(inflated)
        assert size <= 3 * LARGEST


@pytest.mark.parametrize("data", [b"\xff" * 50, deflated(b"cut " * 500)[:-9] + b"\xff" * 9])
async def test_what_cannot_be_inflated_is_closed_with_1002_and_without_a_traceback(
    deflating: RunningService, name: str, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    wire = await WireSocket.open(deflating.port, f"/objects/speaker/{name}", headers=OFFER)
    await wire.send(frame(TEXT, data, reserved=COMPRESSED) + text_frame("after"))
    assert (await wire.closed())[0] == 1002
    assert Speaker.heard[name] == []
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_frame_that_is_too_large_on_the_wire_is_not_waited_for(
    deflating: RunningService, name: str
) -> None:
    wire = await WireSocket.open(deflating.port, f"/objects/speaker/{name}", headers=OFFER)
    await wire.send(frame(TEXT, bytes(LARGEST + 1), reserved=COMPRESSED)[:14])
    assert (await wire.closed())[0] == 1009


async def test_pieces_that_become_too_large_together_are_closed_with_1009(
    deflating: RunningService, name: str
) -> None:
    wire = await WireSocket.open(deflating.port, f"/objects/speaker/{name}", headers=OFFER)
    whole = deflated(bytes(LARGEST + 1))
    half = len(whole) // 2
    await wire.send(
        frame(TEXT, whole[:half], final=False, reserved=COMPRESSED)
        + frame(CONTINUATION, whole[half:])
    )
    assert (await wire.closed())[0] == 1009


async def test_what_is_kept_between_messages_is_small(deflating: RunningService, name: str) -> None:
    offer = [("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")]
    wire = await WireSocket.open(deflating.port, f"/objects/speaker/{name}", headers=offer)
    assert wire.answer is not None
    told = wire.answer.headers["sec-websocket-extensions"]
    assert "server_max_window_bits=12" in told
    assert "client_max_window_bits=12" in told

    async def settings() -> object:
        (extension,) = socket_of(deflating, wire).conn.extensions
        assert isinstance(extension, PerMessageDeflate)
        return extension.compress_settings

    assert await deflating.do(settings) == {"memLevel": 5}


async def test_the_own_engine_takes_no_compressed_frame(port: int, name: str) -> None:
    wire = await WireSocket.open(port, f"/objects/speaker/{name}", headers=OFFER)
    await wire.send(frame(TEXT, deflated(bytes(100 << 20)), reserved=COMPRESSED))
    assert (await wire.closed())[0] == 1002
    assert Speaker.heard[name] == []


@pytest.mark.parametrize("whose", ["servers", "own"])
async def test_nobody_else_offers_compression(
    plain: RunningService, port: int, name: str, whose: str
) -> None:
    target = f"/objects/speaker/{name}"
    wire = await WireSocket.open(plain.port if whose == "servers" else port, target, headers=OFFER)
    assert wire.answer is not None
    assert "sec-websocket-extensions" not in wire.answer.headers
    await wire.send(text_frame("hello"))
    assert await wire.read_message() == "hello"
