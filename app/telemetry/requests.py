"""A span for each HTTP request, with what encloses it at its client (`traceparent`)."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from ..core.tracing import NO_ERROR, SpanKind, Tracer, enclosed

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_LONGEST_PATH: Final = 256
_PROBES: Final = frozenset({"/livez", "/readyz", "/metrics"})
_PARENT: Final = b"traceparent"
_FIRST_FAILURE: Final = 500


class TracedApplication:
    """An ASGI application with spans around its requests; sockets pass untouched.

    Args:
        application: Answers.
        tracer: Records the spans.
    """

    def __init__(self, application: Application, tracer: Tracer) -> None:
        self._application = application
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] in _PROBES:
            await self._application(scope, receive, send)
            return
        status = 0

        async def seen(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        span = self._tracer.begin(
            f"HTTP {scope['method']}",
            SpanKind.SERVER,
            {
                "http.request.method": scope["method"],
                "url.path": scope["path"][:_LONGEST_PATH],  # never the query: tokens stand there
            },
            parent=_parent_of(scope),
        )
        error = "interrupted"
        try:
            with enclosed(span.traceparent):
                await self._application(scope, receive, seen)
            error = str(status) if status >= _FIRST_FAILURE else NO_ERROR
        finally:
            span.end(error)


def _parent_of(scope: Scope) -> str | None:
    found = [value for name, value in scope["headers"] if name == _PARENT]
    return found[0].decode("latin-1") if len(found) == 1 else None
