"""The composition root: builds everything from the settings, starts and stops it in order.

Order of a start: data directory, embedded Postgres (when no URL is given), schema check,
database, lease, committer, rooms. Everything that can fail at a start says so in one line with
its remedy (`StartupError`).
"""

import uuid
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import structlog

from . import __version__
from .cluster.lives import CommitterOfThisLife
from .cluster.membership import Membership
from .cluster.namespaces import Namespaces, make_mount
from .cluster.registry import RoomRegistry
from .cluster.routes import Route, RouteTable
from .core.clock import DatabaseClock, SystemClock
from .core.errors import NamespaceUnknown, StartupError, StateroomError
from .core.ids import WorkerId
from .core.mounts import Mount
from .core.ports import LeaseCheck
from .core.tasks import TaskOwner
from .core.values import WorkerIdentity
from .room.closing import close_for
from .room.environment import RoomEnvironment
from .room.limits import RoomLimits
from .settings import TINYBASE_NAMESPACE, RoomAccess, Settings
from .store.committer import PostgresCommitter
from .store.data_directory import DataDirectory, boot_id
from .store.database import Database
from .store.driver import ConnectTarget, Pooler
from .store.embedded import EmbeddedPostgres
from .store.leases import PostgresWorkerLeases
from .store.migration import migrate
from .store.storage import PostgresObjectStore
from .web.access import AccessPolicy
from .web.application import build_application
from .web.health import HealthEndpoints
from .web.objects import ObjectEndpoint
from .web.sockets import SocketGateway

_log = structlog.get_logger("stateroom")

_SLOT = 0
_SWEEP_SECONDS = 1.0
_RESTART_SECONDS = 1.0
_TINYBASE_CLASS = "stateroom.tinybase:TinyBaseRoom"

Classes = Mapping[str, type[Any]]


class Service:
    """One worker's whole service.

    Args:
        settings: What was decided.
        classes: Further namespaces, given as classes by whoever embeds us.
    """

    def __init__(self, settings: Settings, classes: Classes | None = None) -> None:
        self._settings = settings
        self._clock = SystemClock()
        self._stack = AsyncExitStack()
        self._mounts = mounts_of(settings, classes or {})
        self._routes = RouteTable(
            [Route(pattern=route.pattern, namespace=route.namespace) for route in settings.routes]
        )
        self._registry: RoomRegistry | None = None
        self._access = access_of(settings)
        self.asgi: Any = None
        """The ASGI application; there after `start`."""

    async def start(self) -> None:
        """Make everything ready.

        Raises:
            StateroomError: It cannot be, with the remedy. What was started is stopped by `stop`.
        """
        settings = self._settings
        directory = self._stack.enter_context(DataDirectory(settings.data_dir))
        target = await self._database_target(directory)
        database = await Database.open(
            target,
            connections=settings.database_connections,
            patience_seconds=settings.database_connect_seconds,
        )
        self._stack.push_async_callback(database.close)
        database_clock = DatabaseClock(self._clock)
        committer = CommitterOfThisLife(self._committer_maker(database))
        membership = self._membership(directory, database, database_clock, committer)
        tasks = TaskOwner("rooms")
        self._registry = self._make_registry(database, database_clock, committer, membership, tasks)
        await self._bury_former_self(directory, database)
        self._stack.push_async_callback(committer.close)
        self._stack.push_async_callback(membership.close)
        await membership.start()
        self._stack.push_async_callback(tasks.close)
        self._stack.push_async_callback(self._registry.close)
        tasks.start(self._registry.sweep(every_seconds=_SWEEP_SECONDS), name="sweep")
        self.asgi = self._application(database, membership, tasks)

    async def stop(self) -> None:
        """Give every room up in good order, then stop everything in reverse."""
        if self._registry is not None:
            await self._registry.drain(deadline_seconds=self._settings.shutdown_seconds * 0.8)
        await self._stack.aclose()

    async def _database_target(self, directory: DataDirectory) -> ConnectTarget:
        settings = self._settings
        if settings.database_url is not None:
            return ConnectTarget.from_url(
                settings.database_url.get_secret_value(),
                pooler=Pooler(settings.database_pooler.value),
            )
        postgres = EmbeddedPostgres(directory, bin_dir=settings.postgres_bin)
        self._stack.push_async_callback(postgres.stop)
        url = await postgres.start()
        await migrate(url)
        watch = TaskOwner("embedded-postgres")
        self._stack.push_async_callback(watch.close)
        watch.start(self._keep_running(postgres), name="watch")
        return ConnectTarget.from_url(url)

    async def _keep_running(self, postgres: EmbeddedPostgres) -> None:
        """Start the embedded Postgres again whenever it ends by itself."""
        while True:
            status = await postgres.wait()
            _log.error("embedded_postgres_ended", status=status)
            try:
                await postgres.start()
            except StartupError as error:
                _log.error("embedded_postgres_not_restarted", reason=str(error))
                await self._clock.sleep(_RESTART_SECONDS)

    def _committer_maker(self, database: Database) -> Any:
        def make(worker_id: WorkerId, lease: LeaseCheck) -> PostgresCommitter:
            return PostgresCommitter(database, worker_id=worker_id, lease=lease)

        return make

    def _membership(
        self,
        directory: DataDirectory,
        database: Database,
        database_clock: DatabaseClock,
        committer: CommitterOfThisLife,
    ) -> Membership:
        settings = self._settings
        return Membership(
            leases=PostgresWorkerLeases(database),
            clock=self._clock,
            database_clock=database_clock,
            identity=WorkerIdentity(
                worker_id=WorkerId(uuid.uuid4()),
                node=directory.node_id,
                slot=_SLOT,
                boot_id=boot_id(),
                address="",
                version=__version__,
            ),
            lease_seconds=settings.lease_seconds,
            renew_seconds=settings.renew_seconds,
            begun=committer.begin,
            lost=self._lost,
        )

    async def _bury_former_self(self, directory: DataDirectory, database: Database) -> None:
        """We hold the data directory's lock, so whoever was this worker before is dead."""
        await PostgresWorkerLeases(database).bury(
            node=directory.node_id, slot=_SLOT, boot_id=boot_id()
        )

    def _make_registry(
        self,
        database: Database,
        database_clock: DatabaseClock,
        committer: CommitterOfThisLife,
        membership: Membership,
        tasks: TaskOwner,
    ) -> RoomRegistry:
        settings = self._settings
        return RoomRegistry(
            ids=database.object_ids,
            namespaces=Namespaces(self._mounts),
            environment=RoomEnvironment(
                store=PostgresObjectStore(database),
                committer=committer,
                lease=membership,
                clock=self._clock,
                database_clock=database_clock,
                tasks=tasks,
                limits=limits_of(settings),
            ),
            membership=membership,
            claim_wait_seconds=settings.lease_seconds + settings.renew_seconds,
            evict_seconds=settings.evict_seconds,
            max_rooms=settings.max_rooms,
        )

    def _application(self, database: Database, membership: Membership, tasks: TaskOwner) -> Any:
        settings = self._settings
        registry = self._registry
        assert registry is not None  # noqa: S101 - made just before; says so to mypy
        gateway = SocketGateway(
            registry=registry,
            routes=self._routes,
            access=self._access,
            reserved=settings.reserved_segments,
            name_bytes=settings.name_bytes,
            close_for=close_for,
            clock=self._clock,
            tasks=tasks,
        )

        async def ping() -> None:
            await database.fetch("select 1")

        return build_application(
            gateway=gateway,
            objects=ObjectEndpoint(
                registry,
                self._access,
                body_bytes=settings.max_frame_bytes,
                name_bytes=settings.name_bytes,
            ),
            health=HealthEndpoints(membership, ping),
            access=self._access,
            reserved=frozenset(settings.reserved_segments),
        )

    def _lost(self, error: StateroomError) -> None:
        if self._registry is not None:
            self._registry.abort_all(error)


def build_service(settings: Settings) -> Service:
    """What `stateroom serve` runs."""
    return Service(settings)


def mounts_of(settings: Settings, classes: Classes) -> dict[str, Mount]:
    """Every namespace: the built-in one, those of the settings, those given as classes.

    Raises:
        NamespaceClassInvalid, ConfigurationInvalid: A mount is wrong.
        NamespaceUnknown: A route leads nowhere.
    """
    mounts = {
        spec.name: make_mount(spec.name, spec.target, spec.options) for spec in settings.namespaces
    }
    mounts |= {name: make_mount(name, cls, {}) for name, cls in classes.items()}
    if TINYBASE_NAMESPACE not in mounts:
        mounts[TINYBASE_NAMESPACE] = make_mount(TINYBASE_NAMESPACE, _TINYBASE_CLASS, {})
    for route in settings.routes:
        if route.namespace not in mounts:
            raise NamespaceUnknown(
                f"the route {route.pattern!r} names the namespace {route.namespace!r}, "
                "which is not mounted"
            )
    return mounts


def access_of(settings: Settings) -> AccessPolicy:
    """Who may come in, as the settings say.

    Raises:
        ConfigurationInvalid: The address is public and nothing was decided.
    """
    token = settings.room_token
    closed = settings.effective_room_access() is RoomAccess.TOKEN
    return AccessPolicy(
        room_token=token.get_secret_value() if closed and token is not None else None,
        allowed_hosts=settings.allowed_hosts,
        allowed_origins=settings.allowed_origins,
        on_loopback=settings.on_loopback,
    )


def limits_of(settings: Settings) -> RoomLimits:
    """The bounds of each room, as the settings say."""
    return RoomLimits(
        mailbox_events=settings.mailbox_events,
        mailbox_bytes=settings.mailbox_bytes,
        outbox_bytes=settings.outbox_bytes,
        connections=settings.max_connections,
        event_timeout_seconds=settings.event_timeout_seconds,
        idle_seconds=settings.idle_seconds,
        relaxed_loss_ms=settings.relaxed_loss_ms,
        relaxed_loss_bytes=settings.relaxed_loss_bytes,
    )
