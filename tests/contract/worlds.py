"""The two worlds that every contract is run in: memory and Postgres."""

from contextlib import AsyncExitStack
from typing import Protocol
from uuid import uuid4

from app.core.admin_tokens import AdminTokens
from app.core.alarm_lists import AlarmLists
from app.core.audit import AuditTrail
from app.core.backup import BackupSource, Staging
from app.core.history import NO_HISTORY, HistoryRule, ObjectHistory
from app.core.ids import ObjectId, ObjectIds, WorkerId
from app.core.listing import ObjectListing
from app.core.namespace_settings import NamespaceSettings
from app.core.object_state import ObjectStates
from app.core.owners import ObjectOwners
from app.core.ports import (
    AlarmQueue,
    Committer,
    LeaseCheck,
    ObjectStore,
    WorkerLeases,
    WorkerList,
)
from app.core.repeats import Repeats
from app.core.stored_keys import StoredKeys
from app.core.usage import UsageBook
from app.core.values import WorkerIdentity
from app.core.worker_rows import WorkerRows
from app.store.admin_tokens import PostgresAdminTokens
from app.store.alarm_lists import PostgresAlarmLists
from app.store.alarms import PostgresAlarmQueue
from app.store.audit import PostgresAuditTrail
from app.store.backup import PostgresBackupSource
from app.store.committer import PostgresCommitter
from app.store.database import Database
from app.store.history import PostgresObjectHistory
from app.store.history_pruning import HistoryPruner
from app.store.leases import PostgresWorkerLeases
from app.store.listing import PostgresObjectListing
from app.store.listing_refresh import ListingRefresher
from app.store.namespace_settings import PostgresNamespaceSettings
from app.store.object_states import PostgresObjectStates
from app.store.owners import PostgresObjectOwners
from app.store.repeats import PostgresRepeats
from app.store.staging import PostgresStaging
from app.store.storage import PostgresObjectStore
from app.store.stored_keys import PostgresStoredKeys
from app.store.usage import PostgresUsageBook
from app.store.workers import PostgresWorkerList
from app.testing.memory import (
    MemoryAlarmQueue,
    MemoryCommitter,
    MemoryDatabase,
    MemoryHistoryPruner,
    MemoryObjectHistory,
    MemoryObjectStates,
    MemoryObjectStore,
    MemoryWorkerLeases,
    MemoryWorkerList,
)
from app.testing.memory_admin import MemoryAdminTokens, MemoryAuditTrail, MemoryRepeats
from app.testing.memory_alarm_lists import MemoryAlarmLists
from app.testing.memory_backup import MemoryBackupSource, MemoryStaging
from app.testing.memory_listing import MemoryObjectListing
from app.testing.memory_namespace_settings import MemoryNamespaceSettings
from app.testing.memory_owners import MemoryObjectOwners
from app.testing.memory_stored_keys import MemoryStoredKeys
from app.testing.memory_usage import MemoryUsageBook

LEASE_SECONDS = 60.0
ADDRESS = "127.0.0.1:1"


def identity(*, node: str | None = None, slot: int = 0, boot_id: str = "boot") -> WorkerIdentity:
    """A worker's identity, at a place of its own unless one is given."""
    worker_id = WorkerId(uuid4())
    return WorkerIdentity(
        worker_id=worker_id,
        node=node if node is not None else f"node-{worker_id}",
        slot=slot,
        boot_id=boot_id,
        address=ADDRESS,
        version="0",
    )


class World(Protocol):
    """One database with all its ports, and what a contract needs to know beside them."""

    @property
    def store(self) -> ObjectStore: ...

    @property
    def states(self) -> ObjectStates: ...

    @property
    def namespace_settings(self) -> NamespaceSettings: ...

    @property
    def worker_rows(self) -> WorkerRows: ...

    @property
    def leases(self) -> WorkerLeases: ...

    @property
    def workers(self) -> WorkerList: ...

    @property
    def alarms(self) -> AlarmQueue: ...

    @property
    def alarm_lists(self) -> AlarmLists: ...

    @property
    def stored_keys(self) -> StoredKeys: ...

    @property
    def usage(self) -> UsageBook: ...

    @property
    def owners(self) -> ObjectOwners: ...

    @property
    def backups(self) -> BackupSource: ...

    @property
    def staging(self) -> Staging: ...

    @property
    def tokens(self) -> AdminTokens: ...

    @property
    def audit(self) -> AuditTrail: ...

    @property
    def repeats(self) -> Repeats: ...

    @property
    def listing(self) -> ObjectListing: ...

    @property
    def object_ids(self) -> ObjectIds: ...

    @property
    def history(self) -> ObjectHistory: ...

    def keep_history(self, rule: HistoryRule) -> None:
        """Let committers that are made from now on keep history."""
        ...

    async def prune(self, rule: HistoryRule) -> None:
        """Remove the history that is too old or too much."""
        ...

    async def age(self, object_id: ObjectId, commit_seq: int, *, seconds: float) -> None:
        """Let a commit, and all before it, have been made so much earlier."""
        ...

    async def catch_up(self) -> None:
        """Let the lists know what was done by now."""
        ...

    async def committer(self, worker_id: WorkerId, lease: LeaseCheck) -> Committer:
        """A committer for that worker, closed with the world."""
        ...

    async def expire(self, worker_id: WorkerId) -> None:
        """Let the worker's lease have run out by the database's clock."""
        ...

    async def known(self, object_id: ObjectId) -> bool:
        """Whether the object has a row of its own."""
        ...


class MemoryWorld:
    def __init__(self) -> None:
        self.database = MemoryDatabase()
        self.store = MemoryObjectStore(self.database)
        self.states = MemoryObjectStates(self.database)
        self.leases = MemoryWorkerLeases(self.database)
        self.workers = self.worker_rows = MemoryWorkerList(self.database)
        self.namespace_settings = MemoryNamespaceSettings(self.database)
        self.alarms = MemoryAlarmQueue(self.database)
        self.alarm_lists = MemoryAlarmLists(self.database)
        self.stored_keys = MemoryStoredKeys(self.database)
        self.usage = MemoryUsageBook(self.database)
        self.owners = MemoryObjectOwners(self.database)
        self.backups = MemoryBackupSource(self.database)
        self.staging = MemoryStaging(self.database)
        self.tokens = MemoryAdminTokens(self.database)
        self.audit = MemoryAuditTrail(self.database)
        self.repeats = MemoryRepeats(self.database)
        self.listing = MemoryObjectListing(self.database)
        self.object_ids = ObjectIds(b"k" * 32)
        self.history = MemoryObjectHistory(self.database)

    def keep_history(self, rule: HistoryRule) -> None:
        self.database.history = rule

    async def prune(self, rule: HistoryRule) -> None:
        await MemoryHistoryPruner(self.database, rule).prune()

    async def age(self, object_id: ObjectId, commit_seq: int, *, seconds: float) -> None:
        found = self.database.objects[object_id.uuid]
        commits = found.past.commits
        for number, (made_ms, old) in commits.items():
            if number <= commit_seq:
                commits[number] = (made_ms - int(seconds * 1000), old)
        found.created_ms -= int(seconds * 1000)

    async def catch_up(self) -> None:
        """The lists of memory are never old."""

    async def committer(self, worker_id: WorkerId, lease: LeaseCheck) -> Committer:
        assert lease.holds()
        return MemoryCommitter(self.database, worker_id)

    async def expire(self, worker_id: WorkerId) -> None:
        self.database.workers[worker_id].expires_at = float("-inf")

    async def known(self, object_id: ObjectId) -> bool:
        return object_id.uuid in self.database.objects


class PostgresWorld:
    def __init__(self, database: Database, stack: AsyncExitStack) -> None:
        self.database = database
        self.store = PostgresObjectStore(database)
        self.states = PostgresObjectStates(database)
        self.leases = PostgresWorkerLeases(database)
        self.workers = self.worker_rows = PostgresWorkerList(database)
        self.namespace_settings = PostgresNamespaceSettings(database)
        self.alarms = PostgresAlarmQueue(database)
        self.alarm_lists = PostgresAlarmLists(database)
        self.stored_keys = PostgresStoredKeys(database)
        self.usage = PostgresUsageBook(database)
        self.owners = PostgresObjectOwners(database)
        self.backups = PostgresBackupSource(database)
        self.staging = PostgresStaging(database)
        self.tokens = PostgresAdminTokens(database)
        self.audit = PostgresAuditTrail(database)
        self.repeats = PostgresRepeats(database)
        self.listing = PostgresObjectListing(database)
        self.object_ids = database.object_ids
        self.history = PostgresObjectHistory(database)
        self._rule = NO_HISTORY
        self._stack = stack

    async def catch_up(self) -> None:
        refresher = ListingRefresher(self.database)  # a new one lets nothing rest
        while await refresher.step():
            pass
        while await refresher.measure_one_large():
            pass

    def keep_history(self, rule: HistoryRule) -> None:
        self._rule = rule

    async def prune(self, rule: HistoryRule) -> None:
        await HistoryPruner(self.database, rule).prune()

    async def age(self, object_id: ObjectId, commit_seq: int, *, seconds: float) -> None:
        await self.database.fetch(
            "with made as (update object set created_at = created_at - make_interval(secs => $3)"
            " where object_id = $1) "
            "update object_history set made_at = made_at - make_interval(secs => $3)"
            " where object_id = $1 and commit_seq <= $2",
            object_id.uuid,
            commit_seq,
            seconds,
        )

    async def committer(self, worker_id: WorkerId, lease: LeaseCheck) -> Committer:
        committer = PostgresCommitter(
            self.database, worker_id=worker_id, lease=lease, history=self._rule
        )
        await committer.start()
        self._stack.push_async_callback(committer.close)
        return committer

    async def expire(self, worker_id: WorkerId) -> None:
        await self.database.fetch(
            "update worker set lease_expires_at = clock_timestamp() where worker_id = $1",
            worker_id,
        )

    async def known(self, object_id: ObjectId) -> bool:
        rows = await self.database.fetch("select from object where object_id = $1", object_id.uuid)
        return bool(rows)


async def live_worker(world: World) -> WorkerId:
    """A worker that has just registered."""
    made = identity()
    await world.leases.register(made, lease_seconds=LEASE_SECONDS)
    return made.worker_id
