"""Requests whose body comes in pieces, as an object reads them."""

from collections.abc import AsyncIterator
from typing import ClassVar

import pytest

from app.core.errors import BodyBroken, BodyTooSlow, CallRefused, StateroomError
from app.sdk import DurableObject, Request, Response
from app.testing.harness import ObjectHarness


class Reader(DurableObject):
    """Reads its requests in the way that the path names."""

    starts: ClassVar[int] = 0

    async def on_start(self) -> None:
        Reader.starts += 1

    async def on_request(self, request: Request) -> Response:
        self.ctx.storage.put("path", request.path)
        if request.path == "/read":
            return Response(body=await request.read())
        if request.path == "/forward":
            return await self.ctx.namespace("reader").get_by_name("b").fetch(request)
        return Response(body=b"|".join([piece async for piece in request.stream()]))


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Reader.starts = 0
    async with ObjectHarness({"reader": Reader}) as made:
        yield made


async def pieces(error: StateroomError | None = None) -> AsyncIterator[bytes]:
    yield b"a"
    yield b"b"
    if error is not None:
        raise error


@pytest.mark.parametrize(("path", "read"), [("/", b"a|b"), ("/read", b"ab")])
async def test_a_body_is_read_in_pieces_or_as_a_whole(
    harness: ObjectHarness, path: str, read: bytes
) -> None:
    response = await harness.request("reader", "a", Request(path=path, pieces=pieces()))
    assert response.body == read


@pytest.mark.parametrize(("path", "body"), [("/", b"ab"), ("/read", b"ab"), ("/", b"")])
async def test_a_whole_body_is_one_piece(harness: ObjectHarness, path: str, body: bytes) -> None:
    assert (await harness.request("reader", "a", Request(path=path, body=body))).body == body


@pytest.mark.parametrize("error", [BodyBroken("the client is gone"), BodyTooSlow()])
async def test_a_body_that_breaks_off_undoes_the_event_and_blames_nobody(
    harness: ObjectHarness, error: StateroomError
) -> None:
    with pytest.raises(type(error)):
        await harness.request("reader", "a", Request(pieces=pieces(error)))
    assert harness.contents("reader", "a") == {}
    assert harness.counted["object_faults"] == 0
    assert (await harness.request("reader", "a", Request(body=b"x"))).body == b"x"
    assert Reader.starts == 2


async def test_a_stream_cannot_be_sent_on(harness: ObjectHarness) -> None:
    with pytest.raises(CallRefused, match="read the body first"):
        await harness.request("reader", "a", Request(path="/forward", pieces=pieces()))
