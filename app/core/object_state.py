"""How an object as a whole stands: in use, frozen, or deleted and waiting to be purged.

A **frozen** object is read and takes no changes, nor do its alarms ring; that holds across
failover, moves and restarts until it is thawed. A **deleted** one cannot be claimed by anybody,
its alarms are silent, and everything it stored is kept for a grace time, in which it can be
undeleted; then it is **purged** in bounded steps, from the first of which nothing brings it back.
When the last has been made its name is free, and leads to an object without a past.

Freezing, thawing and deleting are fenced like commits: only the owner of this very epoch does it.
(docs/decisions/0025)
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from .ids import ObjectId, WorkerId
from .values import Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectState:
    """What the row of an object says. Times are the database's, milliseconds since 1970.

    Attributes:
        object_id: With the name that the row has.
        worker_id: Who claimed it last and has not given it up; that worker may be dead.
        frozen_ms: Since when it takes no changes.
        deleted_ms: Since when it is deleted.
        purge_ms: When a deleted one is purged, or may be at the earliest.
        purging: Whether its purge has begun, so that it cannot come back.
    """

    object_id: ObjectId
    worker_id: WorkerId | None
    frozen_ms: int | None = None
    deleted_ms: int | None = None
    purge_ms: int | None = None
    purging: bool = False


class ObjectStates(Protocol):
    """See the module. Every call raises StoreUnavailable when the database is away.

    When that happens to a call that changes something, it is not known whether it was changed.
    """

    async def state(self, object_id: ObjectId) -> ObjectState | None:
        """Return how the object stands; None when there is no such object."""
        ...

    async def set_frozen(self, claim: Claim, *, frozen: bool) -> bool:
        """Freeze or thaw, if the claim's epoch holds the object; returns whether it does.

        Doing it again changes nothing. Commits of the claim under way are not held up, so the
        caller waits for its own first.
        """
        ...

    async def delete(self, claim: Claim, *, grace_seconds: float) -> bool:
        """Mark the object deleted and give it up, if the claim's epoch holds it; see `set_frozen`.

        It is due to be purged `grace_seconds` from now.
        """
        ...

    async def set_purge(self, object_id: ObjectId, *, grace_seconds: float) -> bool:
        """Let a deleted object be due `grace_seconds` from now; False as with `undelete`."""
        ...

    async def undelete(self, object_id: ObjectId) -> bool:
        """Bring a deleted object back, with all it stored; False if its purge has begun.

        Also when it was not deleted, or there is no such object.
        """
        ...

    async def deleted(self, *, after: tuple[int, UUID] | None, limit: int) -> list[ObjectState]:
        """Return deleted objects of all namespaces, those that are purged first at the head.

        At most `limit`, behind the one with `purge_ms` and the id `after`.
        """
        ...

    async def begin_purges(
        self, *, limit: int, only: Collection[ObjectId] | None = None
    ) -> list[ObjectId]:
        """Begin to purge deleted objects whose grace time is over; they cannot come back.

        Returns at most `limit` of them and of those whose purge has begun before and is not over,
        the longest due first. What somebody else looks at in this moment is left out.

        Args:
            limit: How many at most.
            only: Look at these alone.
        """
        ...

    async def purge_step(self, object_id: ObjectId, *, rows: int) -> bool:
        """Remove at most `rows` rows of what an object stored whose purge has begun.

        Returns whether that was the last step: then nothing is left of the object. Several may
        purge the same object at a time.
        """
        ...
