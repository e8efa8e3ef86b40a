"""How sockets end, seen from both sides: each end is told once, with its code."""

import asyncio
import struct
from functools import partial

import pytest

from app.core.sockets import NO_GOODBYE

from .objects import Speaker
from .patience import until
from .running_service import RunningService, ServerKind
from .wire_socket import BINARY, CLOSE, TEXT, WireSocket, close_frame, frame, text_frame


async def speaker(port: int, name: str, rest: str = "") -> WireSocket:
    wire = await WireSocket.open(port, f"/objects/speaker/{name}{rest}")
    assert wire.status == 101
    return wire


async def the_end(name: str) -> tuple[int, str, bool]:
    """Wait for the end that the object is told; there must be one only."""
    await until(lambda: bool(Speaker.ends[name]))
    (end,) = Speaker.ends[name]
    return end


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, ""), (1001, "tab closed"), (3999, "é"), (4999, "x" * 123)]
)
async def test_the_object_hears_code_and_reason_of_its_client(
    port: int, name: str, code: int, reason: str
) -> None:
    wire = await speaker(port, name)
    await wire.send(close_frame(code, reason))
    assert await wire.closed() == (code, reason)
    assert await wire.ended() == b""
    assert await the_end(name) == (code, reason, True)


async def test_a_close_without_a_code_is_a_clean_1005(port: int, name: str) -> None:
    wire = await speaker(port, name)
    await wire.send(close_frame())
    assert (await wire.read_frame())[0] == CLOSE
    assert await the_end(name) == (1005, "", True)


async def test_what_came_before_the_close_is_heard_before_it(port: int, name: str) -> None:
    wire = await speaker(port, name)
    texts = [f"message {number}" for number in range(300)]
    await wire.send(b"".join(text_frame(text) for text in texts) + close_frame(1000))
    assert await the_end(name) == (1000, "", True)
    assert Speaker.heard[name] == texts


@pytest.mark.parametrize("how", ["reset", "end of stream", "half a frame"])
async def test_a_client_that_vanishes_is_an_unclean_1006(port: int, name: str, how: str) -> None:
    wire = await speaker(port, name)
    await wire.say("hello")
    assert await wire.read_message() == "hello"
    if how == "reset":
        wire.vanish()
    elif how == "half a frame":
        await wire.send(text_frame("cut off")[:-3])
        await wire.close()
    else:
        await wire.close()
    assert await the_end(name) == NO_GOODBYE
    assert Speaker.heard[name] == ["hello"]


async def test_a_close_by_the_object_follows_its_last_words(port: int, name: str) -> None:
    wire = await speaker(port, name)
    await wire.say("close", "unheard")
    assert await wire.read_message() == "last words"
    assert await wire.closed() == (4000, "as told")
    assert await wire.ended() == b""
    assert (await the_end(name))[0] == 4000
    assert Speaker.heard[name] == ["close"]


async def test_a_client_may_be_turned_away_as_it_comes(port: int, name: str) -> None:
    wire = await speaker(port, name, "/no")
    assert await wire.closed() == (4001, "not you")
    assert (await the_end(name))[0] == 4001


async def test_a_fault_closes_the_socket_that_caused_it_and_no_other(port: int, name: str) -> None:
    one, other = await speaker(port, name), await speaker(port, name)
    await other.say("here")
    assert await other.read_message() == "here"
    await one.say("crash")
    assert await one.closed() == (1011, "object_fault")
    await other.say("still here")
    assert await other.read_message() == "still here"


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000])
async def test_a_code_that_nobody_may_send_is_a_protocol_error(
    port: int, name: str, code: int
) -> None:
    wire = await speaker(port, name)
    await wire.send(frame(CLOSE, struct.pack("!H", code)))
    assert (await wire.closed())[0] == 1002
    await the_end(name)


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"\x03", 1002), (b"\x03\xe8\xff\xfe", 1007), (b"\x03\xe8" + b"r" * 124, 1002)],
)
async def test_a_close_frame_that_is_none_is_answered_with_its_fault(
    port: int, name: str, body: bytes, code: int
) -> None:
    wire = await speaker(port, name)
    await wire.send(frame(CLOSE, body))
    assert (await wire.closed())[0] == code
    await the_end(name)


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (frame(TEXT, b"\xff"), 1007),
        (frame(3, b""), 1002),
        (frame(BINARY, b"x" * ((1 << 20) + 1)), 1009),
    ],
)
async def test_a_breach_of_the_protocol_is_heard_before_the_end(
    port: int, name: str, broken: bytes, code: int
) -> None:
    wire = await speaker(port, name)
    wire.write(broken)
    end = await the_end(name)
    assert (end[0], end[2]) == (code, False)
    assert Speaker.breaches[name] == [code]


async def test_a_close_by_the_object_with_the_code_of_a_breach_is_none(
    port: int, name: str
) -> None:
    wire = await speaker(port, name, "/no?1009")
    assert (await wire.closed())[0] == 1009
    assert (await the_end(name))[::2] == (1009, True)
    assert Speaker.breaches[name] == []


async def test_what_follows_a_close_frame_is_ignored(port: int, name: str) -> None:
    wire = await speaker(port, name)
    await wire.send(close_frame(1000) + text_frame("too late") + close_frame(1001))
    assert await wire.closed() == (1000, "")
    assert await the_end(name) == (1000, "", True)
    assert Speaker.heard[name] == []


async def test_both_sides_may_close_at_once(port: int, name: str) -> None:
    wire = await speaker(port, name)
    await wire.send(text_frame("close") + close_frame(1000))
    assert (await wire.closed())[0] in {1000, 4000}
    assert (await the_end(name))[0] in {1000, 4000}


async def test_a_hundred_that_leave_at_once_are_told_one_by_one(port: int, name: str) -> None:
    wires = await asyncio.gather(*(speaker(port, name) for _ in range(100)))
    for number, wire in enumerate(wires):
        if number % 2:
            wire.vanish()
        else:
            wire.write(close_frame(4000 + number))
    await until(lambda: len(Speaker.ends[name]) >= 100)
    ends = sorted(Speaker.ends[name])
    assert ends == [NO_GOODBYE] * 50 + [(4000 + n, "", True) for n in range(0, 100, 2)]


async def test_a_client_that_does_not_answer_a_close_is_dropped_within_seconds(
    service: RunningService, name: str
) -> None:
    if service.kind is not ServerKind.DIRECT:
        return  # uvicorn itself waits for ten seconds
    wire = await speaker(service.port, name)
    await wire.say("close")
    assert await wire.read_message() == "last words"
    assert await wire.read_frame() == (CLOSE, struct.pack("!H", 4000) + b"as told")
    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert await wire.ended() == b""
    assert loop.time() - begun < 8
    assert (await the_end(name))[0] == 4000


async def test_a_client_that_closes_and_reads_nothing_is_dropped_with_what_it_should_read(
    service: RunningService, name: str
) -> None:
    if service.kind is not ServerKind.DIRECT:
        return  # ASGI has no word for it
    wire = await speaker(service.port, name)
    wire.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport reads
    said = 0
    while await unsent_by_server(service, name) < 200_000:  # over what the system holds
        said += 1
        await wire.send(frame(BINARY, b"b" * 100_000))  # is said back
        await until(partial(heard_so_many, name, said))
    await wire.send(close_frame(1000))
    assert await the_end(name) == (1000, "", True)

    async def dropped() -> bool:
        _, port = wire.writer.get_extra_info("sockname")
        return port not in await service.client_ports()

    assert not await dropped()
    await until(dropped, seconds=9)


def heard_so_many(name: str, count: int) -> bool:
    return len(Speaker.heard[name]) == count


def has_heard(name: str, count: int) -> bool:
    return len(Speaker.heard[name]) == count


async def unsent_by_server(service: RunningService, name: str) -> int:
    """How much a room's sockets have not taken yet."""

    async def look() -> int:
        registry = service.registry
        room = registry._rooms.get(registry.ids.from_name("speaker", name).uuid)
        return 0 if room is None else sum(each.buffered_bytes for each in room.members)

    found: int = await service.do(look)
    return found
