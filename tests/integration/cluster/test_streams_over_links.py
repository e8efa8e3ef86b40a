"""Bodies in pieces through the wrong worker: credit in both directions, and every end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import ClassVar

import pytest

from app.cluster.link_protocol import WINDOW_BYTES
from app.core.errors import (
    BodyBroken,
    BodyTooSlow,
    LinkBroken,
    ObjectFault,
    RoomAborted,
    StateroomError,
)
from app.core.pipes import PIPE_BYTES, BytePipe
from app.sdk import DurableObject, Request, Response
from app.testing.memory import MemoryDatabase
from tests.integration.cluster.workers import Worker
from tests.unit.cluster.calling import start

PIECE = bytes(32 << 10)


class Far(DurableObject):
    """An object that the client's worker does not hold."""

    streams_requests: ClassVar[bool] = True
    go: ClassVar[asyncio.Event]
    log: ClassVar[list[str]]
    made: ClassVar[int]

    async def on_request(self, request: Request) -> Response:
        kind = request.path.strip("/")
        if kind == "upload":
            return Response(body=str(await self.upload(request)))
        if kind == "large":
            return Response(body="é" * (17 << 20), headers={"x-kind": "large"})
        if kind == "wait":
            await self.go.wait()
            return Response(body="waited")
        body = {"feed": self.feed, "flood": self.flood, "break": self.break_off}[kind]()
        return Response(body=body, status=202)

    async def upload(self, request: Request) -> int:
        await self.go.wait()
        size = 0
        try:
            async for piece in request.stream():
                size += len(piece)
        except StateroomError as error:
            Far.log.append(f"{type(error).__name__}: {error}")
            raise
        return size

    async def feed(self) -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await self.go.wait()
            yield b"last"
        finally:
            Far.log.append("closed")

    async def flood(self) -> AsyncIterator[bytes]:
        for _ in range(1_000):
            Far.made += 1
            yield PIECE

    async def break_off(self) -> AsyncIterator[bytes]:
        yield b"first"
        await self.go.wait()
        raise ValueError


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that other tasks bring about."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - real links bring it about
            await asyncio.sleep(0.005)  # noqa: TID251 - polls real links


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Worker, Worker]]:
    """The holder of the object, and the worker that the client is at."""
    Far.go, Far.log, Far.made = asyncio.Event(), [], 0
    database = MemoryDatabase()
    async with Worker(database, {"far": Far}) as owner, Worker(database, {"far": Far}) as edge:
        await owner.registry.room(owner.object_id("far", "x"))
        yield owner, edge


async def ask(worker: Worker, request: Request) -> Response:
    response, _ = await worker.locator.request(worker.object_id("far", "x"), request)
    return response


async def body_of(worker: Worker, kind: str) -> BytePipe:
    body = (await ask(worker, Request(path=f"/{kind}"))).body
    assert isinstance(body, BytePipe)
    return body


def nothing_is_left(*workers: Worker) -> bool:
    links = [link for worker in workers for link in worker.links._all]
    return all(
        not link._protocol.streams and not link._streams.exchanges and link.alive for link in links
    )


class Source:
    """A client's body, which counts what is asked of it."""

    def __init__(self, pieces: int, error: StateroomError | None = None) -> None:
        self.asked = 0
        self._left = pieces
        self._error = error

    def __aiter__(self) -> "Source":
        return self

    async def __anext__(self) -> bytes:
        self.asked += 1
        if self._left == 0:
            raise self._error or StopAsyncIteration
        self._left -= 1
        return PIECE


async def test_a_request_stays_with_its_client_until_the_object_reads(
    pair: tuple[Worker, Worker],
) -> None:
    owner, edge = pair
    source = Source(300)
    asking = start(ask(edge, Request(method="POST", path="/upload", pieces=source)))
    (room,) = owner.registry.rooms
    await until(lambda: room._events.running)
    assert source.asked == 0
    Far.go.set()
    assert await (await asking).read() == str(300 * len(PIECE)).encode()
    await until(lambda: nothing_is_left(*pair))


async def test_a_reader_that_stops_holds_its_client_back(pair: tuple[Worker, Worker]) -> None:
    owner, edge = pair
    source = Source(1_000)

    class Slow(Far):
        async def upload(self, request: Request) -> int:
            stream = request.stream()
            await anext(stream)
            Far.log.append("one")
            await self.go.wait()
            return len(PIECE)

    (room,) = owner.registry.rooms
    room._residence.instance = Slow(room._residence.instance.ctx)  # type: ignore[union-attr]  # it lives
    asking = start(ask(edge, Request(method="POST", path="/upload", pieces=source)))
    await until(lambda: Far.log == ["one"])
    await until(lambda: source.asked * len(PIECE) >= WINDOW_BYTES)
    assert source.asked * len(PIECE) <= WINDOW_BYTES + 4 * len(PIECE)
    Far.go.set()
    await asking
    await until(lambda: nothing_is_left(*pair))


@pytest.mark.parametrize("error", [BodyBroken("the client is gone"), BodyTooSlow()])
async def test_why_a_body_breaks_off_is_told_to_its_reader(
    pair: tuple[Worker, Worker], error: StateroomError
) -> None:
    Far.go.set()
    with pytest.raises(type(error)):
        await ask(pair[1], Request(method="POST", path="/upload", pieces=Source(3, error)))
    assert Far.log == [f"{type(error).__name__}: {error}"]
    await until(lambda: nothing_is_left(*pair))


async def test_an_answer_is_sent_while_it_is_made(pair: tuple[Worker, Worker]) -> None:
    response = await ask(pair[1], Request(path="/feed"))
    assert response.status == 202
    assert isinstance(response.body, BytePipe)
    assert await anext(response.body) == b"first"
    Far.go.set()
    assert [piece async for piece in response.body] == [b"last"]
    await until(lambda: nothing_is_left(*pair))


async def test_a_client_that_takes_nothing_holds_the_object_back(
    pair: tuple[Worker, Worker],
) -> None:
    owner, edge = pair
    body = await body_of(edge, "flood")
    await until(lambda: body.waiting_bytes >= WINDOW_BYTES)
    assert Far.made * len(PIECE) <= 2 * WINDOW_BYTES + PIPE_BYTES + 8 * len(PIECE)
    (room,) = owner.registry.rooms
    got = sum([len(piece) async for piece in body])
    assert got == 1_000 * len(PIECE)
    await until(lambda: room.idle and nothing_is_left(*pair))


async def test_a_client_that_is_gone_closes_the_iterator(pair: tuple[Worker, Worker]) -> None:
    body = await body_of(pair[1], "feed")
    await anext(body)
    body.close()
    await until(lambda: Far.log == ["closed"])
    await until(lambda: nothing_is_left(*pair))


async def test_an_iterator_that_raises_breaks_the_answer(pair: tuple[Worker, Worker]) -> None:
    body = await body_of(pair[1], "break")
    assert await anext(body) == b"first"
    Far.go.set()
    with pytest.raises(ObjectFault):
        await anext(body)
    await until(lambda: nothing_is_left(*pair))


async def test_a_room_that_is_lost_breaks_the_answer(pair: tuple[Worker, Worker]) -> None:
    owner, edge = pair
    body = await body_of(edge, "feed")
    await anext(body)
    (room,) = owner.registry.rooms
    room.abort(RoomAborted("as told"))
    with pytest.raises(RoomAborted):
        await anext(body)
    await until(lambda: Far.log == ["closed"])
    await until(lambda: nothing_is_left(*pair))


async def test_a_broken_link_ends_both_sides(pair: tuple[Worker, Worker]) -> None:
    owner, edge = pair
    body = await body_of(edge, "feed")
    await anext(body)
    for link in list(edge.links._all):
        link.close()
    with pytest.raises(LinkBroken):
        await anext(body)
    await until(lambda: Far.log == ["closed"])
    (room,) = owner.registry.rooms
    await until(lambda: room.idle)


async def test_a_broken_link_ends_the_reader_of_a_request(pair: tuple[Worker, Worker]) -> None:
    owner, edge = pair
    Far.go.set()
    never = asyncio.Event()

    async def silent() -> AsyncIterator[bytes]:
        yield PIECE
        await never.wait()

    asking = start(ask(edge, Request(method="POST", path="/upload", pieces=silent())))
    (room,) = owner.registry.rooms
    await until(lambda: room._events.running)
    for link in list(edge.links._all):
        link.close()
    with pytest.raises(LinkBroken):
        await asking
    await until(lambda: Far.log == ["BodyBroken: the client is gone"])


async def test_a_request_that_had_not_begun_is_not_run_for_a_client_that_is_gone(
    pair: tuple[Worker, Worker],
) -> None:
    owner, edge = pair
    running = start(ask(edge, Request(path="/wait")))
    (room,) = owner.registry.rooms
    await until(lambda: room._events.running)
    waiting = start(ask(edge, Request(path="/feed")))
    await until(lambda: len(room._parts.mailbox) == 1)
    waiting.cancel()
    await until(lambda: not room.asking._questions or len(room.asking._questions) == 1)
    Far.go.set()
    assert await (await running).read() == b"waited"
    await until(lambda: room.idle)
    assert Far.log == []
    await until(lambda: nothing_is_left(*pair))


async def test_a_whole_body_that_fits_no_frame_crosses_in_pieces(
    pair: tuple[Worker, Worker],
) -> None:
    response = await ask(pair[1], Request(path="/large"))
    assert response.headers == {"x-kind": "large", "content-length": str(34 << 20)}
    assert await response.read() == "é".encode() * (17 << 20)
    await until(lambda: nothing_is_left(*pair))
