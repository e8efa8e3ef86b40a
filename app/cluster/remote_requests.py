"""Requests and responses as they travel over a link: all but the body as JSON."""

from collections.abc import Mapping
from typing import Any

from ..sdk.messages import Request, Response


def request_meta(request: Request) -> dict[str, Any]:
    """What is told of a request."""
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": dict(request.headers),
        "client": request.client,
        "subprotocols": list(request.subprotocols),
        "resumed": request.resumed,
    }


def request_from(meta: Mapping[str, Any], body: bytes) -> Request:
    """The request that was told."""
    return Request(
        method=str(meta["method"]),
        path=str(meta["path"]),
        query=str(meta["query"]),
        headers=dict(meta["headers"]),
        body=body,
        client=str(meta["client"]),
        subprotocols=tuple(meta["subprotocols"]),
        resumed=bool(meta.get("resumed", False)),
    )


def response_meta(response: Response) -> tuple[dict[str, Any], bytes]:
    """What is told of a response, and its body."""
    body = response.body.encode() if isinstance(response.body, str) else response.body
    meta = {
        "status": response.status,
        "headers": dict(response.headers),
        "media_type": response.media_type,
    }
    return meta, body


def response_from(meta: Mapping[str, Any], body: bytes) -> Response:
    """The response that was told."""
    return Response(
        status=int(meta["status"]),
        body=body,
        headers=dict(meta["headers"]),
        media_type=meta["media_type"],
    )
