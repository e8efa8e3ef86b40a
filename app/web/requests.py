"""From an ASGI scope to the sdk's `Request`."""

from collections.abc import AsyncIterable

from starlette.requests import HTTPConnection

from ..sdk.messages import Request


def request_of(
    connection: HTTPConnection,
    path: str,
    body: bytes = b"",
    pieces: AsyncIterable[bytes] | None = None,
) -> Request:
    """Build the request an object sees; `path` is what remains after its own address."""
    client = connection.client
    return Request(
        method=connection.scope.get("method", "GET"),
        path=path,
        query=connection.scope["query_string"].decode("latin-1"),
        headers=headers_of(connection),
        body=body,
        pieces=pieces,
        client=client.host if client is not None else "",
    )


def headers_of(connection: HTTPConnection) -> dict[str, str]:
    """Lower-case names; the values of repeated headers are joined by a comma."""
    headers: dict[str, str] = {}
    for name, value in connection.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
