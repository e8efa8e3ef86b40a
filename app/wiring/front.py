"""What faces clients: the web application over the parts of a running worker."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, NamedTuple

from ..cluster.lapses import end_lapsed
from ..cluster.routes import RouteTable
from ..room.closing import close_for
from ..web.access import AccessPolicy
from ..web.application import build_application
from ..web.forwarded import TrustedProxies
from ..web.health import HealthEndpoints
from ..web.limits import ClientLimits, ClientRates
from ..web.objects import ObjectEndpoint
from ..web.socket_endpoint import SocketEndpoint
from ..web.sockets import SocketGateway
from .admin import AdminParts, admin_endpoint, gatekeeper_of
from .judging import judge_of
from .metrics_front import metrics_endpoint

_COMEBACK_SECONDS = 10.0
"""How much longer than a lease a channel is brought back to an object whose worker died."""


class Front(NamedTuple):
    """What faces clients.

    Attributes:
        asgi: The ASGI application.
        gateway: Decides about sockets; `leave` ends those that belong to no room.
    """

    asgi: Any
    gateway: SocketGateway


def front_of(parts: AdminParts, *, routes: RouteTable, access: AccessPolicy) -> Front:
    """Put sockets, objects over HTTP, health and the admin plane together."""
    settings, counters = parts.settings, parts.others.metrics.tally
    access = _judging(parts, access)
    trusted = TrustedProxies.of(settings.trusted_proxies)
    limits = _limits(parts, trusted)
    gatekeeper = gatekeeper_of(parts)
    gateway = SocketGateway(
        locator=parts.locator,
        routes=routes,
        access=access,
        reserved=settings.reserved_segments,
        name_bytes=settings.name_bytes,
        close_for=close_for,
        patience_seconds=settings.lease_seconds + _COMEBACK_SECONDS,
        limits=limits,
        clock=parts.clock,
        tasks=parts.tasks,
        trusted=trusted,
        counters=counters,
    )

    sockets = SocketEndpoint(gateway, clock=parts.clock, tasks=parts.tasks)
    parts.others.metrics.count_sockets("asgi", lambda: sockets.open_sockets)
    asgi = build_application(
        sockets=sockets,
        objects=_objects(parts, access, limits),
        health=HealthEndpoints(
            parts.membership, parts.mover, parts.registry.watchdog, _ping(parts)
        ),
        admin=admin_endpoint(parts, access, gatekeeper),
        access=access,
        reserved=frozenset(settings.reserved_segments),
        trusted=trusted,
        metrics=metrics_endpoint(parts, gatekeeper),
        counters=counters,
    )
    return Front(asgi, gateway)


def _judging(parts: AdminParts, access: AccessPolicy) -> AccessPolicy:
    """The same with who judges credentials, if anybody does; their ends are watched then."""

    def now() -> float:
        return parts.database_clock.now_ms() / 1000

    judge = judge_of(parts.settings, clock=parts.clock, tasks=parts.tasks, now=now)
    if judge is None:
        return access
    watch = end_lapsed(lambda: parts.registry.rooms, clock=parts.clock, now=now)
    parts.tasks.start(watch, name="lapses")
    return replace(access, judge=judge)


def _limits(parts: AdminParts, trusted: TrustedProxies) -> ClientLimits:
    settings = parts.settings
    rates = ClientRates(
        address_connects_per_second=settings.address_connects_per_second,
        subject_connects_per_second=settings.subject_connects_per_second,
        client_rooms_per_second=settings.client_rooms_per_second,
        namespace_rooms_per_second=settings.namespace_rooms_per_second,
    )
    return ClientLimits(rates, clock=parts.clock, trusted=trusted)


def _objects(parts: AdminParts, access: AccessPolicy, limits: ClientLimits) -> ObjectEndpoint:
    settings = parts.settings
    return ObjectEndpoint(
        parts.locator,
        access,
        tasks=parts.tasks,
        body_bytes=settings.max_frame_bytes,
        streamed_body_bytes=settings.max_streamed_body_bytes,
        name_bytes=settings.name_bytes,
        limits=limits,
        counters=parts.others.metrics.tally,
    )


def _ping(parts: AdminParts) -> Callable[[], Awaitable[None]]:
    """Ask the database for a sign of life."""

    async def ping() -> None:
        await parts.database.fetch("select 1")

    return ping
