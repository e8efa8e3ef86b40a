"""Whole objects, as they are read for a backup and written from one.

Reading wakes nothing: it is about committed rows. **One object is always one snapshot**, however
large it is; two objects may be of different moments. Writing goes through the fence like every
commit; rows that are too many for one commit are staged first and then moved in one transaction.
"""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from .content_digest import Digest
from .ids import ObjectId, WorkerId
from .values import Alarm, Claim, CommitOutcome, WriteBatch

Row = tuple[bytes, bytes]
"""A key and its stored value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectHead:
    """Which object, and how it stood when it was read.

    Attributes:
        namespace: The class it belongs to.
        name: Its name, if it is known by one.
        uuid: The identifying half of its id.
        commit_seq: How many commits it had had.
        created_ms: When it was first claimed, milliseconds since 1970.
        committed_ms: When it had last committed, or None.
        frozen: Whether it took no changes.
    """

    namespace: str
    name: str | None
    uuid: UUID
    commit_seq: int
    created_ms: int
    committed_ms: int | None
    frozen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """An object, or the next rows of one.

    Attributes:
        head: Whose rows; the same in all parts.
        rows: In the order of their keys. None in a page of objects: too many for a page.
        alarms: By name; all of them in the first part, none in the others.
    """

    head: ObjectHead
    rows: Sequence[Row] | None
    alarms: Mapping[str, Alarm] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupPage:
    """Some objects in the order of their ids.

    Attributes:
        objects: Those of them that store anything.
        last: After which id the next page begins; None when there is none.
    """

    objects: list[StoredPart]
    last: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is there of an object already.

    Attributes:
        digest: Of its rows.
        alarms: How many it has.
    """

    digest: Digest
    alarms: int

    @property
    def empty(self) -> bool:
        """Whether it stores nothing."""
        return not self.digest.rows and not self.alarms


class BackupSource(Protocol):
    """Reads whole objects without waking them. Cancelling any call is safe."""

    async def page(self, *, namespace: str | None, after: UUID | None) -> BackupPage:
        """Return the next objects, of one namespace or of all.

        Raises:
            StoreUnavailable: The database is away.
        """
        ...

    def parts(self, object_id: UUID) -> AsyncGenerator[StoredPart, None]:
        """Yield one object part by part, all of one snapshot; nothing if it stores nothing.

        The snapshot ends with the generator, which must be closed, and when nobody asks for the
        next part for a minute.

        Raises:
            StoreUnavailable: The database is away, or the snapshot has ended.
        """
        ...

    async def standing(self, objects: Collection[UUID]) -> dict[UUID, Standing]:
        """Say what there is of those objects that store anything.

        Raises:
            StoreUnavailable: The database is away.
        """
        ...


class Staging(Protocol):
    """Objects on their way in: many at once, and rows that nobody sees until they are moved in."""

    async def stage(self, staging_id: UUID, rows: Sequence[Row]) -> None:
        """Lay further rows aside; a key stands once.

        Raises:
            StoreUnavailable: The database is away.
            StorageRefused: The database refuses the rows.
        """
        ...

    async def move(
        self, staging_id: UUID, batch: WriteBatch, worker_id: WorkerId, *, rows: int
    ) -> CommitOutcome:
        """Commit `batch` and, in the same transaction, the `rows` rows that are staged.

        What the batch holds itself comes first: it wipes, or sets alarms. It is fenced like
        every commit, for `worker_id`. Nothing is committed unless just so many rows are staged.
        An answer that is lost is told as UNAVAILABLE, and only another claim tells how it ended.
        """
        ...

    async def claim_new(self, objects: Collection[ObjectId], worker_id: WorkerId) -> list[Claim]:
        """Make `worker_id` the owner of those objects that do not exist yet; others are left out.

        What `ObjectStore.claim` does for one, for many in one statement.

        Raises:
            StoreUnavailable: The database is away; whether they were claimed is not known.
        """
        ...

    async def release_written(self, claims: Collection[Claim]) -> list[UUID]:
        """Give up those objects that have been committed to and that the claims still hold.

        Returns which; the others are as they were. The claims are of one worker.

        Raises:
            StoreUnavailable: The database is away.
        """
        ...

    async def discard(self, staging_id: UUID) -> None:
        """Forget staged rows. What nobody forgets is swept away after a day.

        Raises:
            StoreUnavailable: The database is away.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivingObject:
    """One whole object that is to be written.

    Attributes:
        object_id: Where to.
        rows: All its rows, or None when they are staged.
        alarms: Its alarms by name.
        digest: Of its rows.
        staging_id: Where its rows are staged.
    """

    object_id: ObjectId
    rows: Mapping[bytes, bytes] | None
    alarms: Mapping[str, Alarm]
    digest: Digest
    staging_id: UUID | None = None
