"""Which engine carries sockets, and compression: offered by a setting, bounded, and no duty."""

import zlib

import pytest

from .conftest import StartService
from .objects import Speaker
from .running_service import RunningService, ServerKind
from .wire_socket import TEXT, WireSocket, frame, text_frame

OFFER = [("Sec-WebSocket-Extensions", "permessage-deflate")]
LARGEST = 1 << 20
COMPRESSED = 4
"""The first reserved bit."""


@pytest.fixture(scope="module")
def deflating(start_service: StartService) -> RunningService:
    return start_service(ServerKind.DIRECT, socket_deflate=True, max_frame_bytes=LARGEST)


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
