"""HTTP responses are counted by surface and status, whatever the path is."""

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Scope

from app.core.metrics import Reading, Tally
from app.web.counted import CountedResponses


@pytest.mark.parametrize(
    ("path", "surface"),
    [
        ("/objects/counter/a", "objects"),
        ("/admin/v1/workers", "admin"),
        ("/metrics", "operations"),
        ("/my/room", "rooms"),
        ("/", "rooms"),
        ("*", "rooms"),
        ("", "rooms"),
    ],
)
async def test_each_response_counts_for_its_surface(path: str, surface: str) -> None:
    tally = Tally()
    counted = CountedResponses(PlainTextResponse("gone", 410), tally)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(_message: Message) -> None:
        return

    scope: Scope = {"type": "http", "path": path, "headers": [], "method": "GET"}
    await counted(scope, receive, send)
    assert list(tally.read()) == [Reading("http_responses", (surface, "410"), 1)]
