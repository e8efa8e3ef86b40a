"""What is too large for a link between workers: refused alone, and nobody else notices."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from app.core.errors import CallRefused, ObjectFault
from app.room.limits import RoomLimits
from app.sdk import Connection, DurableObject, Request, Response
from app.testing.memory import MemoryDatabase
from tests.integration.cluster.workers import Worker

LARGE = 33 << 20
LIMITS = RoomLimits(outbox_bytes=2 * LARGE)


class Generous(DurableObject):
    """Says and answers too much when it is asked to."""

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        if message == "large":
            connection.send(b"x" * LARGE)
        connection.send(message)

    async def on_request(self, request: Request) -> Response:
        if request.path == "/cookies":
            return Response(cookies=["a=1", "b=2"])
        return Response(headers={"x": "y" * LARGE} if request.path == "/headers" else {})

    async def fail(self) -> None:
        raise ValueError("x " * 35_000)


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that real sockets bring about."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - real sockets bring it about
            await asyncio.sleep(0.005)  # noqa: TID251 - polls real sockets


@pytest.fixture
async def edge() -> AsyncIterator[Worker]:
    """A worker whose object `x` lives at another one, and has a client here."""
    database, classes = MemoryDatabase(), {"c": Generous}
    async with (
        Worker(database, classes, limits=LIMITS) as owner,
        Worker(database, classes, limits=LIMITS) as edge,
    ):
        await owner.registry.room(owner.object_id("c", "x"))
        far = await edge.connect("c", "x")
        yield edge
        far.say("still here")
        await until(lambda: far.received == ["still here"])
        (link,) = edge.links._all
        assert link._protocol.streams == 1


async def answer(edge: Worker, request: Request) -> object:
    return await edge.locator.request(edge.object_id("c", "x"), request)


@pytest.mark.parametrize(
    "ask",
    [
        lambda edge: answer(edge, Request(method="POST", body=b"x" * LARGE)),
        lambda edge: answer(edge, Request(headers={"x": "y" * LARGE})),
        lambda edge: answer(edge, Request(path="/headers")),
    ],
    ids=["body", "headers", "headers of the answer"],
)
async def test_a_request_or_an_answer_that_is_too_large_is_refused_and_the_link_stays(
    edge: Worker, ask: Callable[[Worker], Awaitable[object]]
) -> None:
    with pytest.raises(CallRefused, match="bytes at once"):
        await ask(edge)


async def test_every_cookie_crosses_a_link(edge: Worker) -> None:
    answered, _ = await edge.locator.request(edge.object_id("c", "x"), Request(path="/cookies"))
    assert answered.cookies == ("a=1", "b=2")


async def test_a_socket_whose_handshake_is_too_large_is_refused_and_the_link_stays(
    edge: Worker,
) -> None:
    link = next(iter(edge.links._all))
    with pytest.raises(CallRefused):
        await link.open({"headers": {"x": "y" * LARGE}}, await edge.connect("c", "x"))
    assert len(link._streams.edges) == 2
    for sink in list(link._streams.edges.values())[1:]:
        sink.ended(1000, "", clean=True)


async def test_an_error_that_says_too_much_is_told_in_part(edge: Worker) -> None:
    with pytest.raises(ObjectFault) as raised:
        await edge.stubs.stub("c", "x").fail()
    assert raised.value.message == "x " * 32_768


async def test_a_message_that_is_too_large_closes_its_own_socket_alone(edge: Worker) -> None:
    greedy = await edge.connect("c", "x")
    greedy.say("large")
    await until(lambda: greedy.closed)
    assert greedy.closed == (1009, "message_too_large")
    assert greedy.received == []
    greedy.leave()
