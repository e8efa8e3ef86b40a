"""What the tests of the store share: workers with committers, and sessions of somebody else."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import pytest_asyncio

from app.core.ids import WorkerId
from app.store.committer import PostgresCommitter
from app.store.database import Database
from app.store.driver import ConnectTarget
from app.store.leases import PostgresWorkerLeases
from app.store.storage import PostgresObjectStore
from tests.contract.worlds import identity
from tests.doubles.batch_source import Lease, Writes


class Worker:
    """A registered worker with a committer of its own."""

    def __init__(self, database: Database, worker_id: WorkerId, lease: Lease) -> None:
        self.database = database
        self.worker_id = worker_id
        self.lease = lease
        self.store = PostgresObjectStore(database)
        self.committer = PostgresCommitter(database, worker_id=worker_id, lease=lease)

    async def room(self, name: str) -> Writes:
        object_id = self.database.object_ids.from_name("notes", name)
        return Writes(await self.store.claim(object_id, self.worker_id))


class Site:
    """Workers on one migrated database."""

    def __init__(self, url: str, database: Database, stack: AsyncExitStack) -> None:
        self.url = url
        self.database = database
        self.leases = PostgresWorkerLeases(database)
        self._stack = stack

    async def worker(self, url: str | None = None, *, statement_seconds: float = 10.0) -> Worker:
        """A new worker; `url` leads its committer another way to the same database."""
        who = identity()
        await self.leases.register(who, lease_seconds=600)
        database = self.database
        if url is not None:
            target = ConnectTarget.from_url(url, statement_seconds=statement_seconds)
            database = Database(target, self.database.cluster, connections=2)
            self._stack.push_async_callback(database.close)
        worker = Worker(database, who.worker_id, Lease())
        worker.store = PostgresObjectStore(self.database)
        await worker.committer.start()
        self._stack.push_async_callback(worker.committer.close, seconds=1.0)
        return worker

    async def session(self) -> "asyncpg.Connection[asyncpg.Record]":
        """A session of somebody else, who may hold locks."""
        connection = await asyncpg.connect(self.url)
        self._stack.callback(connection.terminate)
        return connection

    async def rows(self, writes: Writes) -> dict[bytes, bytes]:
        found = await self.database.fetch(
            "select key, value from object_row where object_id = $1", writes.claim.object_id.uuid
        )
        return {row["key"]: row["value"] for row in found}

    async def commit_seq(self, writes: Writes) -> int:
        (row,) = await self.database.fetch(
            "select commit_seq from object where object_id = $1", writes.claim.object_id.uuid
        )
        return int(row["commit_seq"])

    async def seize(self, writes: Writes, worker_id: WorkerId) -> None:
        """Take an object as if its holder had been found dead."""
        await self.database.fetch(SEIZE, writes.claim.object_id.uuid, worker_id)


SEIZE = """
update object set worker_id = $2, epoch = nextval('object_epoch') where object_id = $1
returning epoch, commit_seq
"""


@pytest_asyncio.fixture
async def site(database_url: str) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        database = await Database.open(ConnectTarget.from_url(database_url))
        stack.push_async_callback(database.close)
        yield Site(database_url, database, stack)
