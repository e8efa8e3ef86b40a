"""HTTP responses, counted by the surface that gave them and their status."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..core.metrics import Counting

_SURFACES: Final = {
    "objects": "objects",
    "admin": "admin",
    "livez": "operations",
    "readyz": "operations",
    "metrics": "operations",
}
_ELSEWHERE: Final = "rooms"


class CountedResponses:
    """See the module; an ASGI application around another one.

    Args:
        application: Gives the responses.
        counters: Told of each.
    """

    def __init__(self, application: ASGIApp, counters: Counting) -> None:
        self._application = application
        self._counters = counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        first = scope["path"].removeprefix("/").partition("/")[0]  # the path may be `*`
        surface = _SURFACES.get(first, _ELSEWHERE)

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._counters("http_responses", surface, str(message["status"]))
            await send(message)

        await self._application(scope, receive, counted)
