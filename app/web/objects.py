"""`/objects/{namespace}/{name}[/rest]` over HTTP: `on_request` of that object.

The answer carries the receipt of the object's committed state: whoever holds it knows that the
state it shows is stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog
from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from ..cluster.locator import Locator
from ..core.errors import StateroomError
from ..core.grants import Grant
from ..core.metrics import Counting, count_nothing
from ..core.pipes import BytePipe
from ..core.tasks import TaskOwner
from ..sdk.messages import Request, Response
from .access import AccessPolicy
from .addresses import check_name, object_address, raw_path_of
from .bodies import RequestBody
from .credentials import entering
from .limits import ClientLimits
from .problems import problem, problem_of
from .request_ids import REQUEST_ID, request_id_of
from .requests import request_of
from .streaming import StreamedAnswer

RECEIPT_HEADER = "stateroom-receipt"

_LONGEST_PATH = 256
_log = structlog.get_logger("stateroom.requests")


class ObjectEndpoint:
    """See the module.

    Args:
        locator: Finds objects.
        access: Who may come in.
        tasks: Owner of the watches over clients.
        body_bytes: The largest body that is read whole.
        streamed_body_bytes: The largest body that an object reads as a stream.
        name_bytes: The longest name of an object.
        limits: How often a client may come.
        counters: Told of requests that are refused.
    """

    def __init__(
        self,
        locator: Locator,
        access: AccessPolicy,
        *,
        tasks: TaskOwner,
        body_bytes: int,
        streamed_body_bytes: int,
        name_bytes: int,
        limits: ClientLimits,
        counters: Counting = count_nothing,
    ) -> None:
        self._counters = counters
        self._locator = locator
        self._access = access
        self._tasks = tasks
        self._body_bytes = body_bytes
        self._streamed_body_bytes = streamed_body_bytes
        self._name_bytes = name_bytes
        self._limits = limits

    async def handle(self, http: HttpRequest) -> HttpResponse:
        """Answer one request."""
        request_id = request_id_of(http.headers)
        try:
            answer = await self._handle(http, request_id)
        except StateroomError as error:
            self._counters("rejects", error.code)
            answer = problem_of(error)
            _log.info(
                "request_failed",
                request=request_id,
                path=http.url.path[:_LONGEST_PATH],
                code=error.code,
            )
        answer.headers.setdefault(REQUEST_ID, request_id)
        return answer

    async def _handle(self, http: HttpRequest, request_id: str) -> HttpResponse:
        address = object_address(raw_path_of(http.scope.get("raw_path") or http.url.path.encode()))
        if address is None or address.namespace not in self._locator.namespaces:
            return problem(status=404, code="not_found", title="There is nothing at this address")
        request = request_of(http, address.rest)
        request = replace(request, headers={**request.headers, REQUEST_ID: request_id})
        refusal = self._access.refuse_request(request.headers)
        refusal = refusal or self._access.refuse_room(request.headers, request.query)
        if refusal is not None:
            return refusal
        name = check_name(address.name, limit_bytes=self._name_bytes)
        request = await self._admitted(address.namespace, name, request)
        object_id = self._locator.ids.from_name(address.namespace, name)
        if not self._locator.at_hand(object_id):
            self._limits.wake(request, request.grant.subject, address.namespace)
        mount = self._locator.namespaces.mount(address.namespace)
        streams: bool = mount.cls.streams_requests
        body = RequestBody(
            http.receive,
            limit_bytes=self._streamed_body_bytes if streams else self._body_bytes,
            declared=request.headers.get("content-length"),
        )
        if streams:
            request = replace(request, pieces=body)
        else:
            request = replace(request, body=await body.whole())
        try:
            answer, receipt = await self._locator.request(object_id, request)
        except BaseException:
            body.close()
            raise
        headers = {**answer.headers, RECEIPT_HEADER: receipt}
        return _with_cookies(self._response(answer, body, headers), answer.cookies)

    async def _admitted(self, namespace: str, name: str, request: Request) -> Request:
        """The request with what its client was let in for."""
        grant = self._access.grant_of(namespace, name, request)
        if not isinstance(grant, Grant):
            grant = await grant
        return entering(request, grant, namespace, name)

    def _response(
        self, answer: Response, request: RequestBody, headers: Mapping[str, str]
    ) -> HttpResponse:
        body, status, media_type = answer.body, answer.status, answer.media_type
        if isinstance(body, BytePipe):
            return StreamedAnswer(
                body,
                status=status,
                headers=headers,
                media_type=media_type,
                request=request,
                tasks=self._tasks,
            )
        request.close()
        return HttpResponse(body, status_code=status, headers=headers, media_type=media_type)


def _with_cookies(response: HttpResponse, cookies: Sequence[str]) -> HttpResponse:
    for cookie in cookies:
        response.headers.append("set-cookie", cookie)
    return response
