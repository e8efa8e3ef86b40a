"""The service as an ASGI application, mounted in one of somebody else's."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from app.core.errors import WorkerLeaving
from app.main import EmbeddedService, create_app
from app.sdk import DurableObject, Request, Response
from app.settings import load_settings


class Poll(DurableObject):
    async def vote(self, choice: str) -> int:
        votes: int = await self.ctx.storage.get(choice, 0) + 1
        self.ctx.storage.put(choice, votes)
        return votes

    async def on_request(self, request: Request) -> Response:
        return Response.json(await self.ctx.storage.list())


@pytest.fixture
def rooms(database_url: str, open_folder: Path) -> Iterator[EmbeddedService]:
    settings = load_settings(database_url=database_url, data_dir=open_folder / "embedded")
    configured = structlog.is_configured()
    yield create_app(settings, {"poll": Poll})
    if not configured:
        structlog.reset_defaults()


async def _ask(application: Any, path: str, kind: str = "http") -> list[dict[str, Any]]:
    """What an application answers to one GET, or to one handshake."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if sent:
            await asyncio.Event().wait()  # the client stays
        return {"type": "websocket.connect" if kind == "websocket" else "http.request"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await application(scope, receive, send)
    return sent


async def test_objects_answer_beside_the_routes_of_the_application_they_are_mounted_in(
    rooms: EmbeddedService,
) -> None:
    async def vote(_request: HttpRequest) -> JSONResponse:
        return JSONResponse(await rooms.stub("poll", "drinks", Poll).vote("tea"))

    host = Starlette(routes=[Route("/vote", vote), Mount("/", rooms)], lifespan=rooms.lifespan)
    async with host.router.lifespan_context(host):
        assert (await _ask(host, "/vote"))[1]["body"] == b"1"
        assert (await _ask(host, "/objects/poll/drinks"))[1]["body"] == b'{"tea":1}'


async def test_what_does_not_run_says_so(rooms: EmbeddedService) -> None:
    head, body = await _ask(rooms, "/objects/poll/drinks")
    assert head["status"] == 503
    assert b"lifespan" in body["body"]
    assert (await _ask(rooms, "/a-room", "websocket"))[0]["type"] == "websocket.close"
    with pytest.raises(WorkerLeaving):
        await rooms.stub("poll", "drinks", Poll).vote("tea")
