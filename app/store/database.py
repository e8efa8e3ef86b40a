"""The database as a worker holds it open.

Two doors to one Postgres: raw driver connections for the hot paths (claims, loads, leases; the
committer opens its own), and a SQLAlchemy engine for what is read seldom and reads better so.
At the start it is checked that the database answers, lets us in and has our tables; the
cluster's key, from which every object id is derived, is read in the same breath.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
from asyncpg.pgproto.pgproto import UUID as DriverUUID  # noqa: N811 - two of them, told apart
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from ..core.clock import Clock, SystemClock
from ..core.errors import DatabaseUnreachable, MigrationMissing
from ..core.ids import ObjectIds
from .changed_objects import ChangedObjects
from .driver import ConnectTarget, DriverConnection, Pooler
from .failures import DRIVER_ERRORS, translated_at_start
from .pool import ConnectionPool
from .tables import SCHEMA_VERSION

_RETRY_SECONDS: Final = 0.2
_CLUSTER: Final = "select schema_version, id_key from cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The one row of `cluster`.

    Attributes:
        schema_version: What the migrations have made of the schema.
        id_key: The secret that ids are derived from.
    """

    schema_version: int
    id_key: bytes = field(repr=False)


class Database:
    """See the module; made by `open`, and closed by whoever opened it.

    Attributes:
        changed: Where those that change objects note them.
    """

    def __init__(self, target: ConnectTarget, cluster: Cluster, *, connections: int) -> None:
        self.target = target
        self.cluster = cluster
        self.changed = ChangedObjects()
        self._pool = ConnectionPool(target, size=connections)
        self._own_pools: list[ConnectionPool] = []
        self._engine: AsyncEngine | None = None

    @classmethod
    async def open(
        cls,
        target: ConnectTarget,
        *,
        connections: int = 4,
        patience_seconds: float = 0.0,
        clock: Clock | None = None,
    ) -> "Database":
        """Reach the database and check that it is ours.

        Args:
            target: Where it is.
            connections: The most connections of the shared pool.
            patience_seconds: How long to go on trying while nothing answers.
            clock: For the waits between.

        Raises:
            DatabaseUnreachable: Nothing answered.
            DatabaseRefused: User, password or database name were refused.
            MigrationMissing: The schema is not there, or older than this release needs.
            ConfigurationInvalid: The URL cannot be read.
        """
        clock = clock or SystemClock()
        deadline = clock.monotonic() + patience_seconds
        while True:
            try:
                cluster = await read_cluster(target)
            except DatabaseUnreachable:
                if clock.monotonic() >= deadline:
                    raise
                await clock.sleep(_RETRY_SECONDS)
            else:
                return cls(target, cluster, connections=connections)

    @property
    def object_ids(self) -> ObjectIds:
        """The ids of this cluster, made of the driver's own UUIDs (no conversion at a commit)."""
        return ObjectIds(self.cluster.id_key, uuid_type=DriverUUID)

    @property
    def engine(self) -> AsyncEngine:
        """SQLAlchemy's door, for reads that are not hot. Connects at each use, keeps nothing."""
        if self._engine is None:
            self._engine = _make_engine(self.target)
        return self._engine

    async def fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Run one statement that may be repeated; see `ConnectionPool.fetch`."""
        return await self._pool.fetch(sql, *arguments)

    def own_pool(self, *, size: int) -> ConnectionPool:
        """Connections that nobody else uses; closed with the database."""
        pool = ConnectionPool(self.target, size=size)
        self._own_pools.append(pool)
        return pool

    async def close(self) -> None:
        """Close every connection but those the committer opened."""
        for pool in (self._pool, *self._own_pools):
            await pool.close()
        if self._engine is not None:
            await self._engine.dispose()


async def read_cluster(target: ConnectTarget) -> Cluster:
    """Ask a database, on a connection of its own, whether it is ours and migrated.

    Raises:
        DatabaseUnreachable, DatabaseRefused, MigrationMissing, ConfigurationInvalid: As
            `Database.open` says.
    """
    try:
        connection = await DriverConnection.open(target)
        try:
            rows = await connection.fetch(_CLUSTER)
        finally:
            await connection.close()
    except DRIVER_ERRORS as error:
        raise translated_at_start(error, address=target.address) from error
    if not rows:
        raise MigrationMissing(f"the database at {target.address} is half migrated")
    cluster = Cluster(schema_version=rows[0]["schema_version"], id_key=rows[0]["id_key"])
    if cluster.schema_version < SCHEMA_VERSION:
        raise MigrationMissing(
            f"the database at {target.address} has schema {cluster.schema_version}, "
            f"this release needs {SCHEMA_VERSION}"
        )
    return cluster


def _make_engine(target: ConnectTarget) -> AsyncEngine:
    arguments: dict[str, Any] = {"async_creator_fn": target.connect_raw}
    if target.pooler is Pooler.TRANSACTION:
        # Unnamed statements, prepared and used within one transaction, are all that survives.
        arguments |= {"prepared_statement_cache_size": 0, "prepared_statement_name_func": str}
    return create_async_engine("postgresql+asyncpg://", connect_args=arguments, poolclass=NullPool)
