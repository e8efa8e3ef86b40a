"""A machine's part of the service, shared by all its workers.

It holds the data directory's lock, runs the embedded Postgres when no URL is given, and has the
proof that former workers of this machine are dead: it reaped them, or holds their locks.
"""

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog

from .. import __version__
from ..core.clock import Clock, SystemClock
from ..core.errors import StartupError
from ..core.ids import WorkerId
from ..core.tasks import TaskOwner
from ..core.values import WorkerIdentity
from ..settings import Settings
from ..store.admin_tokens import PostgresAdminTokens
from ..store.data_directory import DataDirectory, boot_id
from ..store.database import Database
from ..store.driver import ConnectTarget, Pooler
from ..store.embedded import EmbeddedPostgres
from ..store.leases import PostgresWorkerLeases
from ..store.migration import migrate
from ..store.own_token import ensure_own_token
from ..store.worker_locks import WorkerLock, former_slots

_log = structlog.get_logger("stateroom.node")

_RESTART_SECONDS = 1.0
_GRACE_SECONDS = 5.0
_WORKERS_OWN = 6
"""What a worker opens beside its pool: for its lease and its commits."""
_SPARE = 20
_LEAST_CONNECTIONS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlace:
    """Where a worker stands.

    Attributes:
        node: The machine, by the random id in its data directory.
        slot: Which of the machine's workers.
        url: The database.
    """

    node: str
    slot: int
    url: str

    def identity(self, address: str) -> WorkerIdentity:
        """Who a worker at this place is, in a new life."""
        return WorkerIdentity(
            worker_id=WorkerId(uuid.uuid4()),
            node=self.node,
            slot=self.slot,
            boot_id=boot_id(),
            address=address,
            version=__version__,
        )


class Node:
    """See the module.

    Args:
        settings: What was decided.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clock = SystemClock()
        self._stack = AsyncExitStack()
        self._directory: DataDirectory | None = None
        self._database: Database | None = None
        self._url = ""

    async def start(self) -> None:
        """Lock the data directory, start the embedded Postgres, bury who was here, make a token.

        Raises:
            StateroomError: It cannot be, with the remedy. What was started is stopped by `stop`.
        """
        settings = self._settings
        self._directory = self._stack.enter_context(DataDirectory(settings.data_dir))
        if settings.database_url is not None:
            self._url = settings.database_url.get_secret_value()
        else:
            self._url = await self._start_postgres(self._directory)
        slots = await _former_slots_free(self._directory, settings, self._clock)
        async with self._opened() as database:
            await self._bury(database, *{0, *slots})
            if settings.admin_token is None:
                tokens = PostgresAdminTokens(database)
                await ensure_own_token(settings.data_dir, tokens, node=self._directory.node_id)

    async def stop(self) -> None:
        """Stop what was started."""
        await self._stack.aclose()

    def place(self, slot: int) -> WorkerPlace:
        """The place of one of this machine's workers."""
        assert self._directory is not None  # noqa: S101 - `start` comes first
        return WorkerPlace(node=self._directory.node_id, slot=slot, url=self._url)

    async def bury(self, *slots: int) -> None:
        """Mark workers of this machine dead; the caller knows that their processes are gone.

        Raises:
            StateroomError: The database is away, or not ours.
        """
        async with self._opened() as database:
            await self._bury(database, *slots)

    async def _bury(self, database: Database, *slots: int) -> None:
        leases = PostgresWorkerLeases(database)
        for slot in slots:
            await leases.bury(node=self.place(slot).node, slot=slot, boot_id=boot_id())

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Database]:
        if self._database is not None:
            yield self._database
            return
        database = await self._open_database()
        if self._settings.workers > 1:  # others will have to be buried: keep it open
            self._database = database
            self._stack.push_async_callback(database.close)
            yield database
            return
        try:
            yield database
        finally:
            await database.close()

    async def _open_database(self) -> Database:
        return await Database.open(
            target_of(self._settings, self._url),
            connections=1,
            patience_seconds=self._settings.database_connect_seconds,
        )

    async def _start_postgres(self, directory: DataDirectory) -> str:
        settings = self._settings
        connections = settings.workers * (settings.database_connections + _WORKERS_OWN) + _SPARE
        postgres = EmbeddedPostgres(
            directory,
            bin_dir=settings.postgres_bin,
            settings={"max_connections": str(max(connections, _LEAST_CONNECTIONS))},
        )
        self._stack.push_async_callback(postgres.stop)
        url = await postgres.start()
        await migrate(url)
        watch = TaskOwner("embedded-postgres")
        self._stack.push_async_callback(watch.close)
        watch.start(self._keep_running(postgres), name="watch")
        return url

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


def target_of(settings: Settings, url: str) -> ConnectTarget:
    """How to speak to the database at `url`.

    Raises:
        ConfigurationInvalid: It is not a Postgres URL.
    """
    return ConnectTarget.from_url(url, pooler=Pooler(settings.database_pooler.value))


async def former_workers_gone(settings: Settings) -> None:
    """Wait for workers that have outlived their supervisor: they hold the port while they drain.

    Does nothing where there never were any, or when a supervisor looks after them.

    Raises:
        StateroomError: The folder is in use, or one of them does not end.
    """
    if settings.data_dir.is_dir() and former_slots(settings.data_dir):
        with DataDirectory(settings.data_dir) as directory:
            await _former_slots_free(directory, settings, SystemClock())


async def _former_slots_free(
    directory: DataDirectory, settings: Settings, clock: Clock
) -> list[int]:
    """Wait until no former worker lives; the directory's lock says that no new one comes."""
    slots = former_slots(directory.path)
    for slot in slots:
        lock = WorkerLock(directory.path, slot)
        # An orphan drains first, and ends itself by force when that takes too long.
        await lock.wait_until_free(clock, seconds=settings.shutdown_seconds + _GRACE_SECONDS)
    return slots
