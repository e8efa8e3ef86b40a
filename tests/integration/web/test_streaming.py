"""Bodies in pieces through a real server: both ways, bounded, and every way to end."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import httpx
import pytest

from app.core.codec import parse_json
from tests.unit.cluster.calling import start

from .conftest import StartService
from .patience import until
from .running_service import RunningService, ServerKind
from .streams import PIECE, Streamer
from .wire_socket import WireSocket, exchange, request_text

LARGEST = 200 * len(PIECE)
LONG = httpx.Timeout(60.0)


@pytest.fixture(scope="module")
def streams(start_service: StartService, kind: ServerKind) -> RunningService:
    """A service behind each kind of server."""
    return start_service(
        kind, {"s": Streamer}, max_frame_bytes=1 << 20, max_streamed_body_bytes=LARGEST
    )


@pytest.fixture
async def client(streams: RunningService, name: str) -> AsyncIterator[httpx.AsyncClient]:
    base = f"http://127.0.0.1:{streams.port}/objects/s/{name}"
    async with httpx.AsyncClient(base_url=base, timeout=LONG) as made:
        yield made


async def pieces(count: int, *, pause: asyncio.Event | None = None) -> AsyncIterator[bytes]:
    for number in range(count):
        if pause is not None and number == 1:
            await pause.wait()
        yield PIECE


async def test_a_body_is_read_while_it_comes(client: httpx.AsyncClient, name: str) -> None:
    pause = asyncio.Event()
    sending = start(client.post("/upload", content=pieces(40, pause=pause)))
    await until(lambda: Streamer.log[name] == ["begun"])
    pause.set()
    answer = await sending
    seen = hashlib.sha256(PIECE * 40).hexdigest()
    assert answer.json() == {"bytes": 40 * len(PIECE), "sha256": seen}
    assert answer.headers["stateroom-receipt"]


async def test_an_answer_is_sent_while_it_is_made(client: httpx.AsyncClient) -> None:
    async with client.stream("GET", "/download/40") as answer:
        assert answer.headers["transfer-encoding"] == "chunked"
        body = b"".join([piece async for piece in answer.aiter_raw()])
    assert body == PIECE * 40


async def test_a_body_may_be_answered_piece_by_piece(client: httpx.AsyncClient) -> None:
    answer = await client.post("/echo", content=b"abc" * 100_000)
    assert answer.content == b"ABC" * 100_000


async def test_a_feed_blocks_nobody_and_ends_with_its_client(
    client: httpx.AsyncClient, name: str
) -> None:
    async with client.stream("GET", "/feed") as feed:
        lines = feed.aiter_lines()
        assert await anext(lines) == ": hello"
        for word in ("one", "two"):
            said = await client.post("/say", content=word.encode())
            assert said.text == "1"
            assert [await anext(lines), await anext(lines)] == ["", f"data: {word}"]
    await until(lambda: Streamer.log[name] == ["feed closed"])
    assert (await client.post("/say", content=b"three")).text == "0"


async def test_an_answer_that_raises_breaks_off(client: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/break")
    assert (await client.get("/ignore")).text == "no need"


async def test_the_announced_length_is_kept(client: httpx.AsyncClient) -> None:
    answer = await client.get("/count/3")
    assert (answer.content, answer.headers["content-length"]) == (b"abc", "3")
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/count/4")
    # What is too much is not sent; the connection ends, so nobody may ask on it again.
    over = await client.get("/count/2", headers={"connection": "close"})
    assert over.content == b"ab"
    assert (await client.get("/count/three")).status_code == 500


async def test_head_asks_for_no_body(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.head("/feed")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert Streamer.log[name] == []


async def test_a_body_that_is_too_large_ends_the_reader(
    client: httpx.AsyncClient, name: str
) -> None:
    announced = await client.post("/upload", content=bytes(LARGEST + 1))
    assert (announced.status_code, announced.json()["code"]) == (413, "body_too_large")
    assert Streamer.log[name] == []
    flowing = await client.post("/upload", content=pieces(201))
    assert (flowing.status_code, flowing.json()["code"]) == (413, "body_too_large")
    assert Streamer.log[name] == ["begun", "BodyTooLarge"]
    assert (await client.get("/ignore")).status_code == 200


async def test_a_client_that_is_gone_ends_the_reader_and_is_no_fault(
    streams: RunningService, name: str
) -> None:
    wire = await WireSocket.dial(streams.port)
    headers = [("Content-Length", "100000")]
    await wire.send(request_text("POST", f"/objects/s/{name}/upload", headers=headers) + b"x")
    await until(lambda: Streamer.log[name] == ["begun"])
    wire.vanish()
    await until(lambda: Streamer.log[name] == ["begun", "BodyBroken"])
    answer = await exchange(streams.port, request_text("GET", f"/objects/s/{name}/ignore"))
    assert answer.status == 200


async def test_a_client_that_asks_first_sends_only_what_is_wanted(
    streams: RunningService, name: str
) -> None:
    headers = [("Content-Length", "3"), ("Expect", "100-continue")]
    unwanted = request_text("POST", f"/objects/s/{name}/ignore", headers=headers)
    assert (await exchange(streams.port, unwanted)).status == 200
    wire = await WireSocket.dial(streams.port)
    await wire.send(request_text("POST", f"/objects/s/{name}/upload", headers=headers))
    assert (await wire.read_answer(bodiless=True)).status == 100
    await wire.send(b"123")
    assert parse_json((await wire.read_answer()).body)["bytes"] == 3
    await wire.close()


async def test_a_client_that_pauses_for_too_long_ends_the_reader(
    streams: RunningService, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.bodies._BODY_SECONDS", 0.2)
    wire = await WireSocket.dial(streams.port)
    headers = [("Content-Length", "100000")]
    await wire.send(request_text("POST", f"/objects/s/{name}/upload", headers=headers) + b"x")
    answer = await wire.read_answer()
    assert (answer.status, parse_json(answer.body)["code"]) == (408, "body_too_slow")
    assert Streamer.log[name] == ["begun", "BodyTooSlow"]
    await wire.close()


async def test_a_reader_that_takes_nothing_is_cut_off(
    streams: RunningService, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.streaming._SEND_SECONDS", 0.3)
    wire = await WireSocket.dial(streams.port, read_limit=1 << 10)
    await wire.send(request_text("GET", f"/objects/s/{name}/download/4000"))

    async def open_answers() -> int:
        return sum(len(room.calls.streams) for room in streams.registry.rooms)

    async def are_open(count: int) -> bool:
        return bool(await streams.do(open_answers) == count)

    await until(lambda: are_open(1))
    await until(lambda: are_open(0))
    wire.vanish()


async def test_a_hundred_feeds_hear_every_word(client: httpx.AsyncClient, name: str) -> None:
    heard: list[list[str]] = [[] for _ in range(100)]
    limits = httpx.Limits(max_connections=200)

    async def listen(many: httpx.AsyncClient, mine: list[str]) -> None:
        async with many.stream("GET", "/feed") as feed:
            async for line in feed.aiter_lines():
                if line.startswith("data: "):
                    mine.append(line)
                if len(mine) == 5:
                    return

    async with (
        httpx.AsyncClient(base_url=client.base_url, timeout=LONG, limits=limits) as many,
        asyncio.TaskGroup() as group,
    ):
        for mine in heard:
            group.create_task(listen(many, mine))
        await until(lambda: len(Streamer.feeds[name]) == 100, seconds=60)
        for word in range(5):
            await client.post("/say", content=str(word).encode())
    assert all(mine == [f"data: {word}" for word in range(5)] for mine in heard)
    await until(lambda: Streamer.feeds[name] == [])
