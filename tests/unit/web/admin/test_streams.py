"""A streamed answer whose client goes away: nothing more is made for it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from app.core.admin import Role
from app.core.errors import ObjectUnknown
from app.web.admin.operation import AdminCall, Operation
from app.web.admin.streams import MOST_STREAMS
from tests.unit.web.admin.plane import SETTINGS_TOKEN, plane_of

SCOPE = {
    "type": "http",
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/admin/v1/endless",
    "raw_path": b"/admin/v1/endless",
    "query_string": b"",
    "headers": [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {SETTINGS_TOKEN}".encode())],
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 80),
}


class Endless:
    """Makes pieces for ever, and tells when nobody wants them any more."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def handle(self, _call: AdminCall) -> AsyncIterator[bytes]:
        return self.pieces()

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"piece\n"
        finally:
            self.closed.set()


async def test_a_stream_ends_when_its_client_is_gone() -> None:
    endless = Endless()
    operation = Operation(
        name="endless",
        method="GET",
        path="/endless",
        role=Role.VIEWER,
        tag="tests",
        summary="None",
        handle=endless.handle,
        gives="application/x-ndjson",
    )
    gone = asyncio.Event()
    asked = False
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) == 5:
            gone.set()
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)  # as a socket would

    async with plane_of(operation) as plane, asyncio.timeout(30):
        await plane.endpoint(SCOPE, receive, send)
        await endless.closed.wait()
    assert sent[0]["status"] == 200
    assert all(message.get("more_body") for message in sent[1:])


async def test_so_many_streams_are_given_at_once_and_no_more() -> None:
    """Clients that read nothing do not fill the memory; whoever is told to wait may come back."""
    endless = Endless()
    operation = Operation(
        name="endless",
        method="GET",
        path="/endless",
        role=Role.VIEWER,
        tag="tests",
        summary="None",
        handle=endless.handle,
        gives="application/x-ndjson",
    )
    stalled, go_on = asyncio.Queue[Any](), asyncio.Event()

    async def receive() -> dict[str, Any]:
        await go_on.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        stalled.put_nowait(message)
        await go_on.wait()
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)

    async with plane_of(operation) as plane, asyncio.timeout(30):

        async def read() -> None:
            await plane.endpoint(SCOPE, receive, send)

        many = [plane.tasks.start(read(), name="reader") for _ in range(MOST_STREAMS)]
        for _ in many:
            await stalled.get()
        refused = await plane.ask("GET", "/endless")
        assert (refused.status_code, refused.json()["code"]) == (503, "too_many_streams")
        assert refused.headers["retry-after"]
        go_on.set()
        await asyncio.wait(many)
        while not stalled.empty():
            stalled.get_nowait()
        await read()
        assert stalled.get_nowait()["status"] == 200


async def test_a_stream_that_could_not_begin_takes_no_place() -> None:
    async def broken(_call: AdminCall) -> AsyncIterator[bytes]:
        return failing()

    async def failing() -> AsyncIterator[bytes]:
        for error in (ObjectUnknown(),):
            raise error
        yield b""

    operation = Operation(
        name="broken",
        method="GET",
        path="/broken",
        role=Role.VIEWER,
        tag="tests",
        summary="None",
        handle=broken,
        gives="application/x-ndjson",
    )
    async with plane_of(operation) as plane:
        for _ in range(MOST_STREAMS + 1):
            assert (await plane.ask("GET", "/broken")).status_code == 404
