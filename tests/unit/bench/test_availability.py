"""Whoever touches a room before it measures is as patient as a client."""

from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from bench import availability
from bench.availability import touch

ROOM = "failover/1"


class LateServer:
    """Refuses the first handshakes, as a worker does that is about to begin under its lease."""

    def __init__(self, refusals: int) -> None:
        self._refusals = refusals
        self.asked: list[str] = []

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        self.asked.append(request.path)
        if len(self.asked) > self._refusals:
            return None
        return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "in a moment")


async def _keep(connection: ServerConnection) -> None:
    await connection.wait_closed()


async def test_a_worker_that_refuses_for_a_moment_is_asked_again() -> None:
    late = LateServer(refusals=2)
    async with serve(_keep, "127.0.0.1", 0, process_request=late.answer) as server:
        port = server.sockets[0].getsockname()[1]
        await touch(f"ws://127.0.0.1:{port}", ROOM)
    assert late.asked == [f"/{ROOM}"] * 3


async def test_one_that_goes_on_refusing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "TOUCH_SECONDS", 0.3)
    late = LateServer(refusals=1_000)
    async with serve(_keep, "127.0.0.1", 0, process_request=late.answer) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TimeoutError):
            await touch(f"ws://127.0.0.1:{port}", ROOM)
    assert late.asked
