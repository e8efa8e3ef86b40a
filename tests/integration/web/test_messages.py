"""Messages, whole and in pieces, and what is none."""

import asyncio
import struct

import pytest

from .objects import Speaker
from .wire_socket import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    WireSocket,
    close_frame,
    frame,
    text_frame,
)

LARGEST = 1 << 20


async def speaker(port: int, name: str) -> WireSocket:
    wire = await WireSocket.open(port, f"/objects/speaker/{name}")
    assert wire.status == 101
    return wire


@pytest.mark.parametrize(
    "message", ["", "text", "é\U0001f600\0", b"", b"\x00\xff", b"b" * 70_000, "t" * 70_000]
)
async def test_a_message_keeps_its_type_and_content(
    port: int, name: str, message: str | bytes
) -> None:
    wire = await speaker(port, name)
    opcode, payload = (TEXT, message.encode()) if isinstance(message, str) else (BINARY, message)
    await wire.send(frame(opcode, payload))
    assert await wire.read_frame() == (opcode, payload)
    assert Speaker.heard[name] == [message]
    assert type(Speaker.heard[name][0]) is type(message)


async def test_thousands_of_messages_keep_their_order(port: int, name: str) -> None:
    wire = await speaker(port, name)
    texts = [f"message {number}" for number in range(3_000)]
    sending = asyncio.get_running_loop().create_task(wire.say(*texts))
    assert [await wire.read_message() for _ in texts] == texts
    await sending


async def test_pieces_become_one_message_wherever_they_are_cut(port: int, name: str) -> None:
    wire = await speaker(port, name)
    whole = "aé\U0001f600z".encode()
    for cut in range(len(whole) + 1):
        await wire.send(
            frame(TEXT, whole[:cut], final=False)
            + frame(CONTINUATION, b"", final=False)
            + frame(CONTINUATION, whole[cut:])
        )
        assert await wire.read_frame() == (TEXT, whole)
    await wire.send(frame(BINARY, b"\xff", final=False) + frame(CONTINUATION, b"\xfe"))
    assert await wire.read_frame() == (BINARY, b"\xff\xfe")


async def test_a_ping_is_answered_in_the_middle_of_a_message(port: int, name: str) -> None:
    wire = await speaker(port, name)
    await wire.send(
        frame(PING, b"first")
        + frame(TEXT, b"in ", final=False)
        + frame(PING, b"p" * 125)
        + frame(PONG, b"unasked")
        + frame(CONTINUATION, b"pieces")
    )
    assert await wire.read_frame() == (PONG, b"first")
    assert await wire.read_frame() == (PONG, b"p" * 125)
    assert await wire.read_frame() == (TEXT, b"in pieces")


@pytest.mark.parametrize(
    "broken", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"ok\xfe"]
)
async def test_text_that_is_not_utf8_is_closed_with_1007(
    port: int, name: str, broken: bytes
) -> None:
    wire = await speaker(port, name)
    await wire.say("before")
    assert await wire.read_message() == "before"
    await wire.send(frame(TEXT, broken) + text_frame("after"))
    assert (await wire.closed())[0] == 1007
    assert Speaker.heard[name] == ["before"]
    pieces = await speaker(port, name)
    await pieces.send(frame(TEXT, b"ok", final=False) + frame(CONTINUATION, broken))
    assert (await pieces.closed())[0] == 1007
    assert Speaker.heard[name] == ["before"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(frame(CONTINUATION, b"x"), id="continues nothing"),
        pytest.param(frame(TEXT, b"a", final=False) + frame(TEXT, b"b"), id="begins twice"),
        pytest.param(frame(TEXT, b"x", masked=False), id="not masked"),
        pytest.param(frame(TEXT, b"x", reserved=4), id="reserved bit"),
        pytest.param(frame(3, b"x"), id="unknown opcode"),
        pytest.param(frame(11, b"x"), id="unknown control"),
        pytest.param(frame(PING, b"p" * 126), id="long ping"),
        pytest.param(frame(PING, b"p", final=False), id="ping in pieces"),
    ],
)
async def test_what_is_no_frame_is_closed_with_1002(port: int, name: str, data: bytes) -> None:
    wire = await speaker(port, name)
    await wire.send(data)
    assert (await wire.closed())[0] == 1002
    assert Speaker.heard[name] == []


async def test_a_message_may_have_the_largest_size(port: int, name: str) -> None:
    wire = await speaker(port, name)
    await wire.send(frame(BINARY, b"x" * LARGEST))
    opcode, payload = await wire.read_frame()
    assert (opcode, len(payload)) == (BINARY, LARGEST)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(frame(BINARY, b"x" * (LARGEST + 1)), id="whole"),
        pytest.param(
            frame(BINARY, b"x" * LARGEST, final=False) + frame(CONTINUATION, b"x"), id="in pieces"
        ),
        pytest.param(bytes((0x82, 0xFF)) + struct.pack("!Q", (1 << 63) - 1), id="announced"),
        pytest.param(bytes((0x82, 0xFF)) + struct.pack("!Q", (1 << 64) - 1), id="over all numbers"),
    ],
)
async def test_a_message_over_the_largest_size_is_closed_with_1009(
    port: int, name: str, data: bytes
) -> None:
    wire = await speaker(port, name)
    wire.write(data)
    assert (await wire.closed())[0] in {1009, 1002} - ({1002} if len(data) > 10 else set())
    assert Speaker.heard[name] == []


async def test_a_room_is_not_disturbed_by_a_broken_neighbour(port: int, name: str) -> None:
    one, other = await speaker(port, name), await speaker(port, name)
    await one.send(frame(TEXT, b"\xff"))
    assert (await one.closed())[0] == 1007
    await other.say("all fine")
    assert await other.read_message() == "all fine"
    await other.send(close_frame(1000))
    assert await other.closed() == (1000, "")
