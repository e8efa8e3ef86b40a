"""Requests and responses as they travel over a link: all but the body as JSON."""

from collections.abc import AsyncIterable, Mapping
from dataclasses import replace
from typing import Any

from ..core.grants import EVERYTHING, ClientRole, Grant
from ..core.pipes import BytePipe
from ..sdk.messages import Request, Response


def request_meta(request: Request) -> dict[str, Any]:
    """What is told of a request."""
    meta = {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": dict(request.headers),
        "client": request.client,
        "subprotocols": list(request.subprotocols),
        "resumed": request.resumed,
    }
    if request.grant is not EVERYTHING:
        meta["grant"] = request.grant.told()
    if request.role is not ClientRole.WRITE:
        meta["role"] = request.role.value
    return meta


def request_from(
    meta: Mapping[str, Any], body: bytes, pieces: AsyncIterable[bytes] | None = None
) -> Request:
    """The request that was told."""
    return Request(
        method=str(meta["method"]),
        path=str(meta["path"]),
        query=str(meta["query"]),
        headers=dict(meta["headers"]),
        body=body,
        pieces=pieces,
        client=str(meta["client"]),
        subprotocols=tuple(meta["subprotocols"]),
        resumed=bool(meta.get("resumed", False)),
        grant=Grant.heard(meta["grant"]) if "grant" in meta else EVERYTHING,
        role=ClientRole(meta.get("role", ClientRole.WRITE)),
    )


def response_meta(response: Response) -> dict[str, Any]:
    """What is told of a response besides its body."""
    return {
        "status": response.status,
        "headers": dict(response.headers),
        "cookies": list(response.cookies),
        "media_type": response.media_type,
    }


def response_from(meta: Mapping[str, Any], body: bytes | BytePipe) -> Response:
    """The response that was told."""
    return Response(
        status=int(meta["status"]),
        body=body,
        headers=dict(meta["headers"]),
        cookies=tuple(meta.get("cookies", ())),  # a worker of an older version tells none
        media_type=meta["media_type"],
    )


def whole_body(response: Response) -> bytes:
    """The body of a response that is none in pieces.

    Raises:
        TypeError: It is one.
    """
    body = response.body
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    raise TypeError("a body in pieces where a whole one is asked for")


def in_pieces(response: Response, body: bytes) -> Response:
    """The same response with a body that crosses in pieces: for one that fits no frame."""
    pipe = BytePipe()
    pipe.push(body)
    pipe.finish()
    length = {"content-length": str(len(body))}
    return replace(response, body=pipe, headers=length | dict(response.headers))
