"""Everything below `/admin`, as one ASGI application.

A request is judged in this order: Host and Origin; for operations the token, the address and
method, the role, the fields; then it is handled. Whatever goes wrong is a problem document with
a stable code; every answer names its request's id.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Final
from uuid import UUID

import structlog
from pydantic import BaseModel
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ...core.admin_errors import (
    MediaTypeUnknown,
    MethodNotAllowed,
    OperationTimedOut,
    PathUnknown,
    RoleTooLow,
)
from ...core.errors import StateroomError
from ...core.ids import TimeOrderedIds
from ...core.tasks import TaskOwner
from ...core.workshop import Workshop
from ..access import AccessPolicy
from ..bodies import RequestBody
from ..problems import document
from .answering import SECURITY_HEADERS, respond
from .changes import Changes, Wish
from .credentials import Gatekeeper
from .fields import read_body, read_query
from .operation import BODY_BYTES, AdminCall, Answer, Operation
from .routing import Routes
from .statuses import admin_problem
from .streams import OpenStreams

REQUEST_ID_HEADER: Final = "stateroom-request-id"
OPERATIONS: Final = "/admin/v1"

_UNREAD_SECONDS: Final = 600.0
"""How long an operation may work on what it has read of a body before it reads on."""
_OPERATION_SECONDS: Final = 60.0
"""How long an operation may take until its answer begins."""
_JSON: Final = "application/json"
_READING: Final = ("GET", "HEAD")

_log = structlog.get_logger("stateroom.admin")

Page = Callable[[HttpRequest], Awaitable[Response]]


class AdminEndpoint:
    """See the module.

    Args:
        operations: All of them.
        pages: What else stands below `/admin`, by its whole path: read with GET, without a token.
        access: The Host and Origin that may come in.
        gatekeeper: Knows tokens.
        changes: Audits them, and runs none twice.
        now_ms: The database's time, in which requests' ids ascend.
        tasks: Owner of the watches over clients.
        body_bytes: The largest body that is read whole.
        streamed_body_bytes: The largest body that is read piece by piece.
    """

    def __init__(
        self,
        operations: Collection[Operation],
        *,
        pages: Mapping[str, Page],
        access: AccessPolicy,
        gatekeeper: Gatekeeper,
        changes: Changes,
        now_ms: Callable[[], int],
        tasks: TaskOwner,
        body_bytes: int,
        streamed_body_bytes: int,
    ) -> None:
        self._routes = Routes(operations)
        self._pages = pages
        self._access = access
        self._gatekeeper = gatekeeper
        self._changes = changes
        self._now_ms = now_ms
        self._ids = TimeOrderedIds()
        self._tasks = tasks
        self._workshop = Workshop()
        self._streams = OpenStreams()
        self._body_bytes = body_bytes
        self._streamed_body_bytes = streamed_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI, for HTTP."""
        http = HttpRequest(scope, receive)
        request_id = self._ids.next(self._now_ms())
        response = self._access.refuse_surface(http.headers)
        if response is None:
            response = await self._answer(http, request_id)
        response.headers[REQUEST_ID_HEADER] = request_id.hex
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        await response(scope, receive, send)

    async def _answer(self, http: HttpRequest, request_id: UUID) -> Response:
        path = (http.scope.get("raw_path") or http.url.path.encode()).decode("latin-1")
        try:
            if path.startswith(OPERATIONS + "/"):
                return await self._operate(http, request_id, path.removeprefix(OPERATIONS))
            return await self._page(http.method, path)(http)
        except StateroomError as error:
            return admin_problem(error, request_id=request_id.hex)
        except Exception:  # noqa: BLE001 - a fault of ours is told by its request's id alone
            _log.exception("admin_request_failed", request_id=request_id.hex, path=path[:1_000])
            return document(
                status=500,
                code="internal",
                title="Something went wrong in the server",
                more={"request_id": request_id.hex},
            )

    def _page(self, method: str, path: str) -> Page:
        page = self._pages.get(path)
        if page is None:
            raise PathUnknown
        if method not in _READING:
            raise MethodNotAllowed(_READING)
        return page

    async def _operate(self, http: HttpRequest, request_id: UUID, path: str) -> Response:
        address = http.client.host if http.client is not None else ""
        caller = await self._gatekeeper.caller_of(http.headers, address)
        operation, parameters = self._routes.find(http.method, path)
        wish = Wish(
            operation=operation,
            caller=caller,
            request_id=request_id,
            path=path,
            parameters=parameters,
        )
        bodies: list[RequestBody] = []

        async def check() -> AdminCall:
            if not caller.role.covers(operation.role):
                raise RoleTooLow(f"it needs {operation.role}, and this token has {caller.role}")
            bodies.append(self._body(operation, http))
            return await self._read(wish, http, bodies[0])

        async def do(call: AdminCall) -> Response:
            answer = await _handle(operation, call)
            return await respond(
                operation,
                answer,
                request=bodies[0],
                tasks=self._tasks,
                streams=self._streams,
            )

        if operation.changes:
            return await self._changes.run(wish, check, do)
        return await do(await check())

    async def _read(self, wish: Wish, http: HttpRequest, body: RequestBody) -> AdminCall:
        operation = wish.operation
        query = read_query(operation.query, http.scope["query_string"].decode("latin-1"))
        _check_media_type(operation, http.headers.get("content-type"))
        fields = None
        if operation.body is not None:
            fields = await self._fields(operation.body, await body.whole())

        def stream() -> AsyncIterator[bytes]:
            return body

        return AdminCall(
            caller=wish.caller,
            request_id=wish.request_id.hex,
            path=wish.parameters,
            query=query,
            body=fields,
            headers=dict(http.headers),
            stream=stream,
        )

    async def _fields(self, model: type[BaseModel], body: bytes) -> BaseModel:
        """Read a body; a large one beside the event loop, for it may say a million things."""
        if len(body) <= BODY_BYTES:
            return read_body(model, body)
        return await self._workshop.run(partial(read_body, model, body))

    def _body(self, operation: Operation, http: HttpRequest) -> RequestBody:
        return RequestBody(
            http.receive,
            limit_bytes=(
                self._streamed_body_bytes
                if operation.takes
                else min(self._body_bytes, operation.body_bytes)
            ),
            declared=http.headers.get("content-length"),
            unread_seconds=_UNREAD_SECONDS,
        )


def _check_media_type(operation: Operation, shown: str | None) -> None:
    wanted = operation.takes or (_JSON if operation.body is not None else None)
    if wanted is None or wanted == "*/*":
        return
    media_type = (shown or "").partition(";")[0].strip().lower()
    if media_type != wanted:
        raise MediaTypeUnknown(f"the body must be {wanted}")


async def _handle(operation: Operation, call: AdminCall) -> Answer:
    try:
        async with asyncio.timeout(_OPERATION_SECONDS):
            return await operation.handle(call)
    except TimeoutError:
        raise OperationTimedOut from None
