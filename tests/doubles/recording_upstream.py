"""A server behind a proxy that tells what reached it.

Any GET is answered, and any WebSocket greeted, with the request as it came in: which upstream, the
raw target, the headers. A WebSocket then gets back what it sends. Probes are
answered and not kept.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Self

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from bench.proxies import PROBE
from tests.interop.wire_json import dumps, loads


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A request as it reached an upstream; names of headers in lower case."""

    upstream: int
    target: str
    headers: dict[str, str]

    @classmethod
    def read(cls, text: str | bytes) -> Self:
        """Read what an upstream answered."""
        return cls(**loads(text.encode() if isinstance(text, str) else text))


@dataclass
class RecordingUpstream:
    """See the module; made by `recording`."""

    number: int
    port: int = 0
    seen: list[Seen] = field(default_factory=list)

    def note(self, request: Request) -> str:
        """Keep a request and return it as text."""
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        seen = Seen(upstream=self.number, target=request.path, headers=headers)
        self.seen.append(seen)
        return dumps(vars(seen))

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a plain request; None for a WebSocket."""
        if "sec-websocket-key" in request.headers:
            return None
        probe = request.path in ("/readyz", PROBE)
        return connection.respond(HTTPStatus.OK, "ready" if probe else self.note(request))

    async def serve(self, connection: ServerConnection) -> None:
        """Greet a WebSocket, and send back what it sends."""
        assert connection.request is not None
        try:
            await connection.send(self.note(connection.request))
            async for message in connection:
                await connection.send(message)
        except ConnectionClosed:
            return


@asynccontextmanager
async def recording(number: int, *, ping_seconds: float | None) -> AsyncIterator[RecordingUpstream]:
    """Run one."""
    upstream = RecordingUpstream(number)
    async with serve(
        upstream.serve,
        "127.0.0.1",
        0,
        process_request=upstream.answer,
        ping_interval=ping_seconds,
        ping_timeout=None,
        max_size=None,
        compression=None,
        close_timeout=1,
    ) as server:
        upstream.port = next(iter(server.sockets)).getsockname()[1]
        yield upstream
