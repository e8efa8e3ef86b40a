"""The body of a request, message by message."""

import asyncio
from typing import Any

import pytest

from app.core.errors import BodyBroken, BodyTooLarge, BodyTooSlow
from app.web.bodies import RequestBody
from tests.unit.cluster.calling import start


class Server:
    """The receiving half of an ASGI server."""

    def __init__(self, *messages: Any) -> None:
        self.messages: asyncio.Queue[Any] = asyncio.Queue()
        self.asked = 0
        for message in messages:
            self.messages.put_nowait(message)

    async def receive(self) -> Any:
        self.asked += 1
        return await self.messages.get()


def part(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


GONE = {"type": "http.disconnect"}


def body_of(server: Server, limit: int = 100) -> RequestBody:
    return RequestBody(server.receive, limit_bytes=limit)


async def turn() -> None:
    """Let what is ready run."""
    for _ in range(5):
        await asyncio.sleep(0)  # noqa: TID251 - no time passes


async def test_nothing_is_read_before_it_is_asked_for() -> None:
    server = Server(part(b"a"), part(b""), part(b"b", more=False))
    body = body_of(server)
    assert server.asked == 0
    assert await anext(body) == b"a"
    assert server.asked == 1
    assert [piece async for piece in body] == [b"b"]


async def test_a_whole_body() -> None:
    assert await body_of(Server(part(b"a"), part(b"b", more=False))).whole() == b"ab"
    assert await body_of(Server(part(b"", more=False))).whole() == b""


@pytest.mark.parametrize(("declared", "refused"), [("101", True), ("100", False), ("x", False)])
async def test_a_body_that_says_itself_that_it_is_too_large(declared: str, refused: bool) -> None:
    server = Server()
    if refused:
        with pytest.raises(BodyTooLarge):
            RequestBody(server.receive, limit_bytes=100, declared=declared)
    else:
        RequestBody(server.receive, limit_bytes=100, declared=declared)
    assert server.asked == 0


async def test_a_body_that_proves_too_large() -> None:
    body = body_of(Server(part(bytes(60)), part(bytes(60))))
    await anext(body)
    for _ in range(2):
        with pytest.raises(BodyTooLarge):
            await anext(body)


async def test_a_client_that_is_gone_before_the_end() -> None:
    body = body_of(Server(part(b"a"), GONE))
    await anext(body)
    with pytest.raises(BodyBroken, match="gone"):
        await anext(body)
    await body.gone()


async def test_a_client_that_does_not_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.web.bodies._BODY_SECONDS", 0.01)
    with pytest.raises(BodyTooSlow):
        await anext(body_of(Server()))
    with pytest.raises(BodyTooSlow):
        await body_of(Server(part(b"a"))).whole()


async def test_the_watch_sees_the_client_go_after_the_body() -> None:
    server = Server(part(b"a", more=False))
    body = body_of(server)
    await body.whole()
    watch = start(body.gone())
    await turn()
    assert not watch.done()
    server.messages.put_nowait(GONE)
    await watch


async def test_the_watch_takes_nothing_from_the_reader() -> None:
    server = Server(part(b"a"), part(b"b"), part(b"c", more=False), GONE)
    body = body_of(server)
    watch = start(body.gone())
    await turn()
    assert server.asked == 1  # one piece ahead, and no more
    assert [piece async for piece in body] == [b"a", b"b", b"c"]
    await watch


async def test_a_body_that_nobody_reads_does_not_hide_that_the_client_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.web.bodies._BODY_SECONDS", 0.01)
    body = body_of(Server(part(b"a"), part(bytes(200)), part(b"b"), GONE))
    await body.gone()
    with pytest.raises(BodyBroken):
        await anext(body)


async def test_a_request_that_is_over_is_read_no_more() -> None:
    server = Server(part(b"a"))
    body = body_of(server)
    body.close()
    with pytest.raises(BodyBroken, match="over"):
        await anext(body)
    assert server.asked == 0
