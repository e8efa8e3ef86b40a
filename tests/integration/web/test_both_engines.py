"""What clients do to the server's HTTP side and to either socket engine, byte by byte."""

import asyncio
from collections import defaultdict
from typing import Any, ClassVar

import pytest

from app.sdk import Request, Response

from .conftest import StartService
from .objects import CLASSES, Speaker
from .patience import until
from .running_service import RunningService, ServerKind
from .wire_socket import (
    BINARY,
    CONTINUATION,
    DEADLINE_SECONDS,
    PING,
    PONG,
    TEXT,
    WireSocket,
    close_frame,
    exchange,
    frame,
    request_text,
    text_frame,
    upgrade_request,
)

HEAD_BYTES = 8_192
LARGEST = 1 << 20


class Slow(Speaker):
    """Answers requests when the test lets it, and tells who was cut off."""

    doors: ClassVar[dict[str, asyncio.Event]] = defaultdict(asyncio.Event)
    asked: ClassVar[dict[str, int]] = defaultdict(int)

    async def on_request(self, request: Request) -> Response:
        name = self.ctx.id.name or ""
        self.asked[name] += 1
        if request.path == "/wait":
            await self.doors[name].wait()
        return Response(body=f"answer to {request.path}".encode())


@pytest.fixture(scope="module", params=[ServerKind.DIRECT, ServerKind.SERVERS_OWN], ids=str)
def engine(request: pytest.FixtureRequest, start_service: StartService) -> RunningService:
    classes: dict[str, type[Any]] = CLASSES | {"slow": Slow}
    return start_service(
        request.param,
        classes,
        max_frame_bytes=LARGEST,
        head_bytes=HEAD_BYTES,
        head_seconds=DEADLINE_SECONDS * 10,
    )


@pytest.fixture(scope="module", params=[ServerKind.DIRECT, ServerKind.SERVERS_OWN], ids=str)
def impatient(request: pytest.FixtureRequest, start_service: StartService) -> RunningService:
    return start_service(request.param, head_seconds=0.5)


async def until_asked(name: str, times: int = 1) -> None:
    await until(lambda: Slow.asked[name] >= times)


async def opened_gate(engine: RunningService, name: str) -> None:
    """Let the waiting request of an object be answered."""

    async def open_it() -> None:
        Slow.doors[name].set()

    await engine.do(open_it)


class TestText:
    """That is not UTF-8."""

    @pytest.mark.parametrize(
        "pieces",
        [
            [b"\xff"],
            [b"ok \xe2\x82", b"\xac \xff"],
            [b"half \xe2", b"\x82"],
            [b"", b"\xf0\x9f", b"\x98"],
        ],
    )
    async def test_closes_with_1007_and_without_a_traceback(
        self,
        engine: RunningService,
        name: str,
        pieces: list[bytes],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        wire = await WireSocket.open(engine.port, f"/objects/speaker/{name}")
        frames = [
            frame(CONTINUATION if at else TEXT, piece, final=at == len(pieces) - 1)
            for at, piece in enumerate(pieces)
        ]
        # The bytes behind it must not make the end of the connection a reset one.
        await wire.send(b"".join(frames) + text_frame("x" * 60_000) * 3)
        assert (await wire.closed())[0] == 1007
        assert Speaker.heard[name] == []
        assert not [record for record in caplog.records if record.exc_info]

    async def test_is_whole_when_a_letter_is_cut_by_pieces(
        self, engine: RunningService, name: str
    ) -> None:
        wire = await WireSocket.open(engine.port, f"/objects/speaker/{name}")
        euro = "€".encode()
        await wire.send(frame(TEXT, euro[:1], final=False) + frame(CONTINUATION, euro[1:]))
        assert await wire.read_message() == "€"


async def test_a_thousand_pieces_are_a_message_and_more_are_closed_with_1009(
    engine: RunningService, name: str
) -> None:
    wire = await WireSocket.open(engine.port, f"/objects/speaker/{name}")
    empty = frame(CONTINUATION, b"", final=False)
    await wire.send(frame(TEXT, b"a", final=False) + empty * 998 + frame(CONTINUATION, b"b"))
    assert await wire.read_message() == "ab"
    await wire.send(frame(TEXT, b"a", final=False) + empty * 1_000)
    assert (await wire.closed())[0] == 1009


class TestBehindTheHandshake:
    """What a client says in one packet with its request, before it can know the answer."""

    @pytest.mark.parametrize("at_hand", [False, True])
    async def test_is_heard(self, engine: RunningService, name: str, at_hand: bool) -> None:
        target = f"/objects/speaker/{name}"
        if at_hand:
            await WireSocket.open(engine.port, target)
        wire = await WireSocket.open(
            engine.port, target, first=text_frame("one") + text_frame("two")
        )
        assert wire.status == 101
        assert [await wire.read_message(), await wire.read_message()] == ["one", "two"]
        await wire.say("three")
        assert await wire.read_message() == "three"

    async def test_is_heard_in_order_when_it_is_much(
        self, engine: RunningService, name: str
    ) -> None:
        texts = [f"{number} " + "x" * 5_000 for number in range(30)]
        first = b"".join(map(text_frame, texts))
        wire = await WireSocket.open(engine.port, f"/objects/speaker/{name}", first=first)
        await wire.say("last")
        assert [await wire.read_message() for _ in range(31)] == [*texts, "last"]

    async def test_may_be_half_a_frame(self, engine: RunningService, name: str) -> None:
        whole = text_frame("in two packets")
        wire = await WireSocket.open(engine.port, f"/objects/speaker/{name}", first=whole[:9])
        await wire.send(whole[9:])
        assert await wire.read_message() == "in two packets"

    async def test_is_answered_behind_the_answer(self, engine: RunningService, name: str) -> None:
        first = frame(PING, b"early") + frame(BINARY, b"\x00")
        wire = await WireSocket.open(engine.port, f"/objects/speaker/{name}", first=first)
        assert wire.status == 101
        assert await wire.read_frame() == (PONG, b"early")
        assert await wire.read_frame() == (BINARY, b"\x00")

    async def test_may_be_the_end(self, engine: RunningService, name: str) -> None:
        first = text_frame("so short") + close_frame(4000, "bye")
        wire = await WireSocket.open(engine.port, f"/objects/speaker/{name}", first=first)
        assert await wire.closed() == (4000, "bye")
        await until(lambda: Speaker.ends[name] == [(4000, "bye", True)])
        assert Speaker.heard[name] == ["so short"]

    async def test_may_break_the_protocol(self, engine: RunningService, name: str) -> None:
        first = text_frame("fine") + frame(3, b"") + text_frame("never")
        wire = await WireSocket.open(engine.port, f"/objects/speaker/{name}", first=first)
        assert (await wire.closed())[0] == 1002
        await until(lambda: len(Speaker.ends[name]) == 1)
        assert Speaker.heard[name] == ["fine"]

    async def test_is_not_read_when_there_is_no_room(
        self, engine: RunningService, name: str
    ) -> None:
        wire = await WireSocket.open(engine.port, f"/livez/{name}", first=text_frame("hello"))
        assert wire.status == 404
        assert await wire.ended() == b""


class TestRequestsBehindOneAnother:
    """HTTP pipelining."""

    async def test_are_answered_in_their_order(self, engine: RunningService, name: str) -> None:
        wire = await WireSocket.dial(engine.port)
        paths = [f"/objects/slow/{name}/{number}" for number in range(20)]
        wire.write(b"".join(request_text("GET", path, close=False) for path in paths))
        for number in range(20):
            assert (await wire.read_answer()).body == f"answer to /{number}".encode()

    async def test_a_socket_behind_a_request_ends_the_connection(
        self, engine: RunningService, name: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        wire = await WireSocket.dial(engine.port)
        asking = request_text("GET", f"/objects/slow/{name}/wait", close=False)
        wire.write(asking + upgrade_request(f"/objects/slow/{name}") + text_frame("hello"))
        assert await wire.ended() == b""
        await opened_gate(engine, name)
        assert Speaker.heard[name] == []
        assert not [record for record in caplog.records if record.exc_info]

    async def test_garbage_behind_a_request_is_not_answered_in_its_place(
        self, engine: RunningService, name: str
    ) -> None:
        wire = await WireSocket.dial(engine.port)
        wire.write(request_text("GET", f"/objects/slow/{name}/wait", close=False))
        await until_asked(name)
        await wire.send(b"\x00garbage\r\n\r\n")
        await opened_gate(engine, name)
        answer = await wire.read_answer()
        assert (answer.status, answer.body) == (200, b"answer to /wait")
        assert await wire.ended() == b""

    async def test_nobody_waits_for_a_client_that_is_gone(
        self, engine: RunningService, name: str
    ) -> None:
        wire = await WireSocket.dial(engine.port)
        asking = request_text("GET", f"/objects/slow/{name}/wait", close=False)
        wire.write(asking + request_text("GET", f"/objects/slow/{name}/second", close=False))
        await until_asked(name)
        _, port = wire.writer.get_extra_info("sockname")
        wire.vanish()

        async def gone() -> bool:
            return port not in await engine.client_ports()

        await until(gone)
        await opened_gate(engine, name)
        other = await exchange(engine.port, request_text("GET", f"/objects/slow/{name}/third"))
        assert other.body == b"answer to /third"
        assert Slow.asked[name] == 2, "the request behind it ran for nobody"

    async def test_another_upgrade_is_answered_and_is_the_last(
        self, engine: RunningService, name: str
    ) -> None:
        wire = await WireSocket.dial(engine.port)
        headers = [("Upgrade", "h2c"), ("Connection", "Upgrade")]
        target = f"/objects/slow/{name}/x"
        request = request_text("GET", target, close=False, headers=headers)
        wire.write(request + request_text("GET", target, close=False))
        assert (await wire.read_answer()).body == b"answer to /x"
        assert await wire.ended() == b""


class TestHead:
    """How large it may be, and how long it may take."""

    @pytest.mark.parametrize("part", ["header", "headers", "target"])
    @pytest.mark.parametrize("socket", [False, True])
    @pytest.mark.parametrize("whole", [False, True])
    async def test_has_a_size(
        self, engine: RunningService, part: str, socket: bool, whole: bool
    ) -> None:
        target, headers = "/objects/counter/x", [("X-Long", "x" * 6_000)]
        if part == "header":
            headers = [("X-Long", "x" * (HEAD_BYTES + 1))]
        elif part == "headers":
            headers *= 2
        else:
            target += "?" + "x" * (HEAD_BYTES + 1)
        request = (
            upgrade_request(target, headers=headers)
            if socket
            else request_text("GET", target, headers=headers)
        )
        wire = await WireSocket.dial(engine.port)
        wire.write(request if whole else request[:-4])
        answer = await wire.read_answer()
        assert answer.status == (414 if part == "target" else 431), answer
        assert answer.headers["connection"] == "close"

    async def test_that_fits_is_taken(self, engine: RunningService, name: str) -> None:
        headers = [("X-Long", "x" * 7_000)]
        target = f"/objects/speaker/{name}"
        wire = await WireSocket.open(engine.port, target, headers=headers)
        assert wire.status == 101
        answer = await exchange(engine.port, request_text("GET", target, headers=headers))
        assert answer.status == 404, answer

    async def test_trailers_count_as_well(self, engine: RunningService, name: str) -> None:
        wire = await WireSocket.dial(engine.port)
        headers = [("Transfer-Encoding", "chunked")]
        wire.write(request_text("POST", f"/objects/counter/{name}", headers=headers))
        wire.write(b"2\r\nab\r\n0\r\n" + b"X-Trailer: yes\r\n" * 2_000)
        assert (await wire.read_answer()).status == 431

    async def test_that_is_slow_is_told_so_and_dropped(self, impatient: RunningService) -> None:
        for begun in (b"GET /livez HTTP/1.1\r\nHost: ", upgrade_request("/room")[:-2]):
            wire = await WireSocket.dial(impatient.port)
            wire.write(begun)
            answer = await wire.read_answer()
            assert answer.status == 408
            assert await wire.ended() == b""

    async def test_that_never_comes_is_waited_for_no_longer(
        self, impatient: RunningService
    ) -> None:
        wires = [await WireSocket.dial(impatient.port) for _ in range(20)]
        assert [await wire.ended() for wire in wires] == [b""] * 20

    async def test_of_a_further_request_has_its_own_time(self, impatient: RunningService) -> None:
        wire = await WireSocket.dial(impatient.port)
        wire.write(request_text("GET", "/livez", close=False))
        assert (await wire.read_answer()).status == 200
        wire.write(b"GET /liv")
        assert (await wire.read_answer()).status == 408

    async def test_a_slow_one_does_not_end_who_is_served(self, impatient: RunningService) -> None:
        served = await WireSocket.open(impatient.port, "/objects/speaker/stays")
        slow = await WireSocket.dial(impatient.port)
        slow.write(b"GET /")
        assert (await slow.read_answer()).status == 408
        await served.say("still here")
        assert await served.read_message() == "still here"
