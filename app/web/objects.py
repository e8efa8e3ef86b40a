"""`/objects/{namespace}/{name}[/rest]` over HTTP: `on_request` of that object.

The answer carries the receipt of the object's committed state: whoever holds it knows that the
state it shows is stored.
"""

import asyncio

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from ..cluster.locator import Locator
from ..core.errors import StateroomError
from .access import AccessPolicy
from .addresses import check_name, object_address, raw_path_of
from .problems import problem, problem_of
from .requests import request_of

RECEIPT_HEADER = "stateroom-receipt"
_BODY_SECONDS = 30.0


class ObjectEndpoint:
    """See the module.

    Args:
        locator: Finds objects.
        access: Who may come in.
        body_bytes: The largest body that is read.
        name_bytes: The longest name of an object.
    """

    def __init__(
        self, locator: Locator, access: AccessPolicy, *, body_bytes: int, name_bytes: int
    ) -> None:
        self._locator = locator
        self._access = access
        self._body_bytes = body_bytes
        self._name_bytes = name_bytes

    async def handle(self, http: HttpRequest) -> Response:
        """Answer one request."""
        try:
            return await self._handle(http)
        except StateroomError as error:
            return problem_of(error)
        except ClientDisconnect:
            return Response(status_code=400)

    async def _handle(self, http: HttpRequest) -> Response:
        address = object_address(raw_path_of(http.scope.get("raw_path") or http.url.path.encode()))
        if address is None or address.namespace not in self._locator.namespaces:
            return problem(status=404, code="not_found", title="There is nothing at this address")
        request = request_of(http, address.rest)
        refusal = self._access.refuse_surface(request.headers)
        refusal = refusal or self._access.refuse_room(request.headers, request.query)
        if refusal is not None:
            return refusal
        name = check_name(address.name, limit_bytes=self._name_bytes)
        object_id = self._locator.ids.from_name(address.namespace, name)
        body = await self._body(http)
        if isinstance(body, Response):
            return body
        answer, receipt = await self._locator.request(
            object_id, request_of(http, address.rest, body)
        )
        headers = dict(answer.headers)
        headers[RECEIPT_HEADER] = receipt
        return Response(
            answer.body,
            status_code=answer.status,
            headers=headers,
            media_type=answer.media_type,
        )

    async def _body(self, http: HttpRequest) -> bytes | Response:
        """Read the body within its bounds of size and time, or say which it broke."""
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for chunk in http.stream():
                    size += len(chunk)
                    if size > self._body_bytes:
                        return problem(
                            status=413, code="body_too_large", title="The body is too large"
                        )
                    chunks.append(chunk)
        except TimeoutError:
            return problem(
                status=408,
                code="body_too_slow",
                title="The body did not come in time",
                headers={"connection": "close"},
            )
        return b"".join(chunks)
