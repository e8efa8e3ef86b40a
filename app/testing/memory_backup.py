"""The in-memory twins of what backups read and write; see `memory` for the others."""

from collections.abc import AsyncGenerator, Collection, Sequence
from uuid import UUID

from ..core.backup import BackupPage, ObjectHead, Row, Standing, StoredPart
from ..core.content_digest import ContentDigest
from ..core.errors import StoreUnavailable
from ..core.ids import ObjectId, WorkerId
from ..core.values import Claim, CommitOutcome, CommitResult, WriteBatch
from .memory import MemoryCommitter, MemoryObjectStore
from .memory_database import MemoryDatabase, MemoryObject

_PAGE_OBJECTS = 100
_SMALL_ROWS = 256
_SMALL_BYTES = 1 << 16
_PART_ROWS = 2_000


class MemoryBackupSource:
    """Twin of `app.store.backup.PostgresBackupSource`; see `core.backup.BackupSource`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def page(self, *, namespace: str | None, after: UUID | None) -> BackupPage:
        """See `BackupSource.page`."""
        self._database.check()
        keys = sorted(
            key
            for key, found in self._database.objects.items()
            if (after is None or key > after)
            and namespace in {None, found.object_id.namespace}
            and found.deleted_ms is None
        )
        found = [self._database.objects[key] for key in keys[:_PAGE_OBJECTS]]
        return BackupPage(
            objects=[_part(each) for each in found if each.rows or each.alarms],
            last=keys[_PAGE_OBJECTS - 1] if len(found) == _PAGE_OBJECTS else None,
        )

    async def parts(self, object_id: UUID) -> AsyncGenerator[StoredPart, None]:
        """See `BackupSource.parts`."""
        self._database.check()
        found = self._database.objects.get(object_id)
        if found is None or found.deleted_ms is not None or not (found.rows or found.alarms):
            return
        rows = sorted(found.rows.items())
        alarms = {name: found.alarms[name].alarm for name in sorted(found.alarms)}
        head = _head(found)
        yield StoredPart(head=head, rows=rows[:_PART_ROWS], alarms=alarms)
        for start in range(_PART_ROWS, len(rows), _PART_ROWS):
            yield StoredPart(head=head, rows=rows[start : start + _PART_ROWS])

    async def standing(self, objects: Collection[UUID]) -> dict[UUID, Standing]:
        """See `BackupSource.standing`."""
        self._database.check()
        known = {key: self._database.objects.get(key) for key in objects}
        return {
            key: _standing(found)
            for key, found in known.items()
            if found is not None and (found.rows or found.alarms)
        }


class MemoryStaging:
    """Twin of `app.store.staging.PostgresStaging`; see `core.backup.Staging`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self.staged: dict[UUID, dict[bytes, bytes]] = {}
        """What lies aside."""

    async def stage(self, staging_id: UUID, rows: Sequence[Row]) -> None:
        """See `Staging.stage`."""
        self._database.check()
        self.staged.setdefault(staging_id, {}).update(rows)

    async def move(
        self, staging_id: UUID, batch: WriteBatch, worker_id: WorkerId, *, rows: int
    ) -> CommitOutcome:
        """See `Staging.move`."""
        staged = self.staged.get(staging_id, {})
        if len(staged) != rows:
            return CommitOutcome(CommitResult.UNAVAILABLE, batch.expected, StoreUnavailable())
        whole = batch._replace(entries={**batch.entries, **staged})
        return MemoryCommitter(self._database, worker_id).commit_batch(whole)

    async def claim_new(self, objects: Collection[ObjectId], worker_id: WorkerId) -> list[Claim]:
        """See `Staging.claim_new`."""
        database = self._database
        database.check()
        if not database.takes_rooms(worker_id):
            return []
        store = MemoryObjectStore(database)
        new = [each for each in objects if each.uuid not in database.objects]
        return [await store.claim(object_id, worker_id) for object_id in new]

    async def release_written(self, claims: Collection[Claim]) -> list[UUID]:
        """See `Staging.release_written`."""
        self._database.check()
        released: list[UUID] = []
        for claim in claims:
            found = self._database.objects.get(claim.object_id.uuid)
            held = found and (found.epoch, found.worker_id) == (claim.epoch, claim.worker_id)
            if found is not None and held and found.commit_seq:
                found.worker_id = None
                released.append(claim.object_id.uuid)
        return released

    async def discard(self, staging_id: UUID) -> None:
        """See `Staging.discard`."""
        self._database.check()
        self.staged.pop(staging_id, None)


def _part(found: MemoryObject) -> StoredPart:
    size = sum(len(key) + len(value) for key, value in found.rows.items())
    small = len(found.rows) <= _SMALL_ROWS and size <= _SMALL_BYTES
    alarms = {name: found.alarms[name].alarm for name in sorted(found.alarms)}
    return StoredPart(
        head=_head(found),
        rows=sorted(found.rows.items()) if small else None,
        alarms=alarms if small else {},
    )


def _head(found: MemoryObject) -> ObjectHead:
    return ObjectHead(
        namespace=found.object_id.namespace,
        name=found.object_id.name,
        uuid=found.object_id.uuid,
        commit_seq=found.commit_seq,
        created_ms=found.created_ms,
        committed_ms=found.committed_ms,
        frozen=found.frozen_ms is not None,
    )


def _standing(found: MemoryObject) -> Standing:
    content = ContentDigest()
    for key, value in sorted(found.rows.items()):
        content.add(key, value)
    return Standing(digest=content.digest(), alarms=len(found.alarms))
