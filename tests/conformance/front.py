"""The HTTP surface before a worker of a harness, asked without a network."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from app.cluster.finder import OwnerFinder
from app.cluster.links import Links
from app.cluster.locator import Locator
from app.cluster.moving import Mover
from app.cluster.peers import Peers
from app.cluster.routes import RouteTable
from app.core.ids import WorkerId
from app.core.tasks import TaskOwner
from app.room.closing import close_for
from app.settings import Settings
from app.testing.harness import ObjectHarness
from app.testing.memory import MemoryWorkerLeases, MemoryWorkerList
from app.web.access import AccessPolicy
from app.web.application import build_application
from app.web.health import HealthEndpoints
from app.web.limits import ClientLimits, ClientRates
from app.web.objects import ObjectEndpoint
from app.web.socket_endpoint import SocketEndpoint
from app.web.sockets import SocketGateway


@asynccontextmanager
async def front_of(harness: ObjectHarness) -> AsyncIterator[httpx.AsyncClient]:
    """A client of everything that a worker answers to over HTTP."""

    def own_id() -> WorkerId:
        return harness.membership.worker_id

    clock, registry = harness.clock, harness.registry
    settings = Settings()
    access = AccessPolicy()
    peers = Peers(MemoryWorkerList(harness.database), clock=clock, own_id=own_id)
    links = Links(key=b"k" * 32, worker_id=own_id, clock=clock)
    finder = OwnerFinder(registry, clock=clock, patience_seconds=4.0)
    finder.use(links, peers)
    locator = Locator(registry, finder)
    mover = Mover(
        registry=registry,
        membership=harness.membership,
        leases=MemoryWorkerLeases(harness.database),
        peers=peers,
        links=links,
        finder=finder,
        clock=clock,
    )
    tasks = TaskOwner("front")
    limits = ClientLimits(ClientRates(), clock=clock)
    gateway = SocketGateway(
        locator=locator,
        routes=RouteTable([]),
        access=access,
        reserved=settings.reserved_segments,
        name_bytes=settings.name_bytes,
        close_for=close_for,
        patience_seconds=1.0,
        limits=limits,
        clock=clock,
        tasks=tasks,
    )

    async def ping() -> None:
        """The database of a harness is always there."""

    asgi = build_application(
        sockets=SocketEndpoint(gateway, clock=clock, tasks=tasks),
        objects=ObjectEndpoint(
            locator,
            access,
            tasks=tasks,
            body_bytes=1 << 20,
            streamed_body_bytes=1 << 20,
            name_bytes=settings.name_bytes,
            limits=limits,
        ),
        health=HealthEndpoints(harness.membership, mover, registry.watchdog, ping),
        access=access,
        reserved=frozenset(settings.reserved_segments),
    )
    transport = httpx.ASGITransport(asgi)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client
    finally:
        await gateway.leave()
        await mover.close()
        await tasks.close()
