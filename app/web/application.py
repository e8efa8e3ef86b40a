"""The Starlette application: which address is whose.

Addresses are told apart by the raw path: `/%6Civez` is a room and `/a%0Ab` is one, whatever
they decode to. Mounted in another application, or behind a proxy's prefix, they are what stands
below the root that is told (`root_path`).
"""

from collections.abc import Awaitable, Callable
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute, request_response
from starlette.types import ASGIApp, Receive, Scope, Send

from ..core.errors import StateroomError
from ..core.metrics import Counting, count_nothing
from .access import AccessPolicy
from .addresses import below_root, is_reserved, raw_path_of
from .counted import CountedResponses
from .forwarded import TRUST_NOBODY, TrustedProxies
from .health import HealthEndpoints
from .metrics import MetricsEndpoint
from .objects import ObjectEndpoint
from .problems import problem, problem_of
from .socket_endpoint import SocketEndpoint

Endpoint = Callable[[HttpRequest], Awaitable[Response]]

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def build_application(
    *,
    sockets: SocketEndpoint,
    objects: ObjectEndpoint,
    health: HealthEndpoints,
    access: AccessPolicy,
    reserved: frozenset[str],
    admin: ASGIApp | None = None,
    trusted: TrustedProxies = TRUST_NOBODY,
    metrics: MetricsEndpoint | None = None,
    counters: Counting = count_nothing,
) -> ASGIApp:
    """Put the endpoints in their places; what is not given is not there.

    Args:
        sockets: WebSockets.
        objects: Requests to objects.
        health: `/livez` and `/readyz`.
        access: Who may come in.
        reserved: First segments that are never rooms.
        admin: What is below `/admin`.
        trusted: Whose word about a client's address counts.
        metrics: `/metrics`.
        counters: Told of each response.
    """
    application = Starlette(
        routes=[
            Route("/livez", _probed(health.livez, access), methods=["GET", "HEAD"]),
            Route("/readyz", _probed(health.readyz, access), methods=["GET", "HEAD"]),
            *_metrics(metrics, access),
            _objects_route(objects, access),
            WebSocketRoute("/{path:path}", sockets.handle),
            *_below_admin(admin),
            Route("/{path:path}", _elsewhere(access, reserved), methods=_METHODS),
        ],
        exception_handlers={Exception: _gone_wrong},
    )

    counted = CountedResponses(application, counters)

    async def by_raw_path(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            raw = scope.get("raw_path") or quote(scope["path"]).encode("ascii")
            raw = below_root(raw, scope.get("root_path", ""))
            path = raw.decode("latin-1")
            scope = {**scope, "raw_path": raw, "path": path, "root_path": ""}
        await counted(trusted.seen_through(scope), receive, send)

    return by_raw_path


async def _gone_wrong(_http: HttpRequest, _error: Exception) -> Response:
    return problem(status=500, code="internal", title="Something went wrong in the server")


def _elsewhere(access: AccessPolicy, reserved: frozenset[str]) -> Endpoint:
    """What answers a plain request to a room, or to nothing."""

    async def answer(http: HttpRequest) -> Response:
        refusal = access.refuse_surface(http.headers)
        if refusal is not None:
            return refusal
        try:
            path = raw_path_of(http.scope.get("raw_path") or http.url.path.encode())
        except StateroomError as error:
            return problem_of(error)
        if is_reserved(path, reserved):
            return problem(status=404, code="not_found", title="There is nothing at this address")
        return problem(
            status=426,
            code="upgrade_required",
            title="A room is reached by WebSocket",
            headers={"upgrade": "websocket", "connection": "upgrade"},
        )

    return answer


def _objects_route(objects: ObjectEndpoint, access: AccessPolicy) -> Route:
    """Objects, which pages of other origins may call where the settings say so."""
    path = "/objects/{rest:path}"
    if not access.cors_origins:
        return Route(path, objects.handle, methods=_METHODS)
    endpoint = CORSMiddleware(
        request_response(objects.handle),
        allow_origins=access.cors_origins,
        allow_methods=_METHODS,
        allow_headers=["*"],
        expose_headers=["*"],
    )
    return Route(path, endpoint)


def _below_admin(admin: ASGIApp | None) -> list[Route]:
    """Every method, for an address tells by itself which it takes."""
    if admin is None:
        return []
    return [Route("/admin", admin), Route("/admin/{rest:path}", admin)]


def _metrics(metrics: MetricsEndpoint | None, access: AccessPolicy) -> list[Route]:
    if metrics is None:
        return []
    return [Route("/metrics", _probed(metrics.handle, access), methods=["GET", "HEAD"])]


def _probed(endpoint: Endpoint, access: AccessPolicy) -> Endpoint:
    """An endpoint that orchestrators look at: they name an address as their Host."""

    async def handle(http: HttpRequest) -> Response:
        return access.refuse_probe(http.headers) or await endpoint(http)

    return handle
