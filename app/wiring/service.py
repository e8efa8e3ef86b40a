"""One worker: its database, lease, committer, rooms, links and web, started in that order.

Everything that can fail at a start says so in one line with its remedy (`StateroomError`); what
was started is stopped in reverse.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog

from ..cluster.alarms import AlarmScheduler
from ..cluster.finder import OwnerFinder
from ..cluster.link_handshake import link_key
from ..cluster.link_service import LinkService
from ..cluster.links import Links
from ..cluster.lives import CommitterOfThisLife
from ..cluster.locator import Locator
from ..cluster.membership import Membership
from ..cluster.moving import Mover
from ..cluster.namespaces import Namespaces
from ..cluster.pace import Pace
from ..cluster.registry import RoomRegistry
from ..cluster.ringing import AlarmRinger
from ..cluster.routes import Route, RouteTable
from ..cluster.steering import Steering
from ..cluster.stubs import OutsideStubs
from ..core.clock import DatabaseClock, SystemClock
from ..core.errors import ConfigurationInvalid, StateroomError, WorkerLeaving
from ..core.handshakes import HandshakeGate
from ..core.history import HistoryRule
from ..core.ids import WorkerId
from ..core.ports import LeaseCheck
from ..core.tasks import TaskOwner
from ..room.environment import RoomEnvironment
from ..room.traced import RoomTracing
from ..settings import Settings
from ..store.alarms import PostgresAlarmQueue
from ..store.commit_meter import CommitMeter
from ..store.committer import PostgresCommitter
from ..store.database import Database
from ..store.history import PostgresObjectHistory
from ..store.leases import PostgresWorkerLeases
from ..store.storage import PostgresObjectStore
from ..store.worker_locks import WorkerLock
from ..store.workers import PostgresWorkerList
from .admin import AdminParts
from .configuration import Classes, access_of, history_of, limits_of, mounts_of
from .front import Front, front_of
from .handoff import Handoff
from .housekeeping import keep_house
from .link_address import link_address, unreachable
from .metrics import WorkerMetrics
from .neighbours import Neighbours
from .node import Node, WorkerPlace, target_of
from .tracing import traced, tracer_of

if TYPE_CHECKING:
    from ..telemetry.tracer import OpenTelemetryTracer

_log = structlog.get_logger("stateroom.service")

_SWEEP_SECONDS = 1.0
_LEAST_SILENCE_SECONDS = 1.0
"""A link is cut after half a lease without a sign of life, but not before this."""
_DRAIN_PART = 0.8
"""How much of the time that a stop may take belongs to giving the rooms up."""


class Service:
    """See the module.

    Args:
        settings: What was decided.
        classes: Further namespaces, given as classes by whoever embeds us.
        place: Where this worker stands, when others share the machine; else it is the only one
            here and brings the machine's part itself.
    """

    def __init__(
        self,
        settings: Settings,
        classes: Classes | None = None,
        *,
        place: WorkerPlace | None = None,
    ) -> None:
        self._settings = settings
        self._place = place
        self._clock = SystemClock()
        self._metrics = WorkerMetrics(settings, self._clock)
        self.count_sockets = self._metrics.count_sockets
        self._stack = AsyncExitStack()
        self._tasks = TaskOwner("rooms")
        self._mounts = mounts_of(settings, classes or {})
        self._routes = RouteTable(
            [Route(pattern=route.pattern, namespace=route.namespace) for route in settings.routes]
        )
        self._access = access_of(settings)
        self._current: Membership
        self._link_id: Callable[[], WorkerId] = _nobody
        self._registry: RoomRegistry | None = None
        self._alarms: AlarmScheduler | None = None
        self._finder: OwnerFinder
        self._tracer: OpenTelemetryTracer | None = None
        self._others: Neighbours
        self.locator: Locator | None = None
        self.mover: Mover | None = None
        """Moves rooms and drains the worker; there after `start`."""
        self.stubs: OutsideStubs | None = None
        """Stubs of objects, wherever they live; there after `start`."""
        self.steering: Steering | None = None
        self.handoff: Handoff | None = None
        """Takes and gives sockets on one machine; there after `start`."""
        self.asgi: Any = None
        self.gate: HandshakeGate | None = None
        """The ASGI application, and who decides about WebSockets; there after `start`."""

    async def start(self) -> None:
        """Make everything ready.

        Raises:
            StateroomError: It cannot be, with the remedy. What was started is stopped by `stop`.
        """
        settings = self._settings
        place = self._place or await self._be_the_only_one()
        _stand_at(settings, place, self._stack)
        database = await Database.open(
            target_of(settings, place.url),
            connections=settings.database_connections,
            patience_seconds=settings.database_connect_seconds,
        )
        self._stack.push_async_callback(database.close)
        database_clock = DatabaseClock(self._clock)
        self._tracer = tracer_of(settings, place, self._stack)
        history = history_of(settings, self._mounts)
        committer = CommitterOfThisLife(_committer_maker(database, history, self._metrics.commits))
        links, address = await self._listen(database, place)
        leases = PostgresWorkerLeases(database)
        handoff = self.handoff = Handoff(settings, slot=place.slot, clock=self._clock)
        membership = self._membership(place, address, leases, database_clock, committer, handoff)
        self._registry = self._make_registry(database, database_clock, committer, membership)
        link_service = LinkService(self._registry)
        others = self._others = self._join_others(self._registry, database, membership, links)
        others.serve(link_service)
        handoff.join(self._registry, others.locator)
        self._stack.push_async_callback(committer.close)
        self._stack.push_async_callback(membership.close)
        self._stack.callback(handoff.close)
        self._current = membership
        self._link_id = lambda: membership.worker_id
        await membership.start()
        await _tell_of_dead_ends(database, place, address)
        self._stack.push_async_callback(self._tasks.close)
        self._stack.push_async_callback(link_service.close)
        self._stack.push_async_callback(self._registry.close)
        links.serve(link_service)
        self._ring_alarms(database, database_clock, membership).serve(link_service)
        self._tasks.start(self._registry.sweep(every_seconds=_SWEEP_SECONDS), name="sweep")
        end = keep_house(self._tasks, database, settings, others, history, part=place.slot)
        self._stack.push_async_callback(end)
        front = self._front(database, membership, database_clock)
        self.asgi, self.gate = traced(front.asgi, self._tracer), front.gateway

    @property
    def outside(self) -> OutsideStubs:
        """Stubs of objects, for calls from outside of objects.

        Raises:
            WorkerLeaving: The service does not run.
        """
        if self.stubs is None:
            raise WorkerLeaving("the service does not run yet")
        return self.stubs

    async def stop(self) -> None:
        """Give every room up in good order, then stop everything in reverse."""
        if self.mover is not None:
            await self.mover.leave(deadline_seconds=self._settings.shutdown_seconds * _DRAIN_PART)
        await self._stack.aclose()

    async def _be_the_only_one(self) -> WorkerPlace:
        node = Node(self._settings)
        self._stack.push_async_callback(node.stop)
        await node.start()
        return node.place(0)

    async def _listen(self, database: Database, place: WorkerPlace) -> tuple[Links, str]:
        """Accept links from other workers; returns the address that they are told."""
        settings = self._settings
        links = Links(
            key=link_key(database.cluster.id_key),
            worker_id=lambda: self._link_id(),  # noqa: PLW0108 - it is another one later
            clock=self._clock,
            silence_seconds=max(settings.lease_seconds / 2, _LEAST_SILENCE_SECONDS),
        )
        # Workers of one machine that share a fixed port take it and those behind it.
        port = settings.internal_port and settings.internal_port + place.slot
        try:
            host, port = await links.listen(settings.internal_host, port)
        except OSError as error:
            raise ConfigurationInvalid(
                "STATEROOM_INTERNAL_HOST or STATEROOM_INTERNAL_PORT: worker "
                f"{place.slot} cannot listen on {settings.internal_host}:{port} "
                f"({error.strerror})"
            ) from error
        self._stack.push_async_callback(links.close)
        address = await link_address(
            settings.internal_address,
            slot=place.slot,
            bound_host=host,
            bound_port=port,
            database_url=place.url,
        )
        return links, address

    def _membership(
        self,
        place: WorkerPlace,
        address: str,
        leases: PostgresWorkerLeases,
        database_clock: DatabaseClock,
        committer: CommitterOfThisLife,
        handoff: Handoff,
    ) -> Membership:
        settings = self._settings
        return Membership(
            leases=leases,
            clock=self._clock,
            database_clock=database_clock,
            identity=place.identity(address),
            lease_seconds=settings.lease_seconds,
            renew_seconds=settings.renew_seconds,
            begun=handoff.after(committer.begin),
            lost=self._lost,
        )

    def _make_registry(
        self,
        database: Database,
        database_clock: DatabaseClock,
        committer: CommitterOfThisLife,
        membership: Membership,
    ) -> RoomRegistry:
        settings = self._settings
        return RoomRegistry(
            ids=database.object_ids,
            namespaces=Namespaces(self._mounts),
            environment=RoomEnvironment(
                store=PostgresObjectStore(database),
                history=PostgresObjectHistory(database),
                committer=committer,
                lease=membership,
                clock=self._clock,
                database_clock=database_clock,
                tasks=self._tasks,
                limits=limits_of(settings),
                counters=self._metrics.tally,
                alarm_set=lambda due_ms: self._alarms.expect(due_ms) if self._alarms else None,
                tracing=None if self._tracer is None else RoomTracing(self._tracer, committer),
            ),
            membership=membership,
            evict_seconds=settings.evict_seconds,
            max_rooms=settings.max_rooms,
            pace=Pace(rooms_per_second=settings.drain_rooms_per_second),
        )

    def _join_others(
        self, registry: RoomRegistry, database: Database, membership: Membership, links: Links
    ) -> Neighbours:
        others = Neighbours(
            self._settings,
            registry=registry,
            membership=membership,
            database=database,
            links=links,
            clock=self._clock,
            metrics=self._metrics,
        )
        self._finder, self.locator = others.finder, others.locator
        others.locator.tracer = self._tracer
        self.mover, self.stubs, self.steering = others.mover, others.stubs, others.steering
        self._stack.push_async_callback(others.close)
        return others

    def _ring_alarms(
        self, database: Database, database_clock: DatabaseClock, membership: Membership
    ) -> AlarmRinger:
        """Start what rings the alarms of objects anywhere."""
        ringer = AlarmRinger(self._others.registry, self._finder)
        self._alarms = AlarmScheduler(
            queue=PostgresAlarmQueue(database),
            ring=ringer.ring,
            membership=membership,
            clock=self._clock,
            database_clock=database_clock,
        )
        self._alarms.start()
        self._metrics.add(self._alarms)
        self._stack.push_async_callback(self._alarms.close)
        return ringer

    def _front(
        self, database: Database, membership: Membership, database_clock: DatabaseClock
    ) -> Front:
        others = self._others
        parts = AdminParts(
            settings=self._settings,
            database=database,
            clock=self._clock,
            database_clock=database_clock,
            tasks=self._tasks,
            membership=membership,
            registry=others.registry,
            locator=others.locator,
            mover=others.mover,
            stubs=self.outside,
            steering=others.steering,
            others=others,
        )
        front = front_of(parts, routes=self._routes, access=self._access)
        self._stack.push_async_callback(front.gateway.leave)
        return front

    def _lost(self, error: StateroomError) -> None:
        if self._registry is not None:
            self._registry.abort_all(error)


def _stand_at(settings: Settings, place: WorkerPlace, stack: AsyncExitStack) -> None:
    lock = WorkerLock(settings.data_dir, place.slot)
    lock.take()
    stack.callback(lock.release)


def _nobody() -> WorkerId:
    """Who we are to those that dial our links while we start: not whom they look for."""
    return WorkerId(UUID(int=0))


def _committer_maker(database: Database, history: HistoryRule, meter: CommitMeter) -> Any:
    def make(worker_id: WorkerId, lease: LeaseCheck) -> PostgresCommitter:
        return PostgresCommitter(
            database, worker_id=worker_id, lease=lease, history=history, meter=meter
        )

    return make


async def _tell_of_dead_ends(database: Database, place: WorkerPlace, address: str) -> None:
    """Warn when rooms of another machine would be out of reach."""
    elsewhere = await PostgresWorkerList(database).addresses_elsewhere(place.node)
    dead_ends = unreachable(address, elsewhere)
    if dead_ends:
        _log.warning(
            "links_lead_nowhere",
            addresses=dead_ends,
            remedy="if these workers are on several machines or in containers, set "
            "STATEROOM_INTERNAL_HOST to an address of the network that they share",
        )


def build_service(settings: Settings) -> Service:
    """What `stateroom serve` runs."""
    return Service(settings)
