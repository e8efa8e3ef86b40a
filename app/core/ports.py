"""What the engine asks of the world below it, in verbs of our domain.

Two implementations each, proven equal by one contract suite (tests/contract): Postgres in
`app.store`, memory in `app.testing.memory`. Errors of drivers never pass: what can go wrong is
named in the docstrings, with the classes of `core.errors`.
"""

from collections.abc import Collection
from typing import Protocol

from .ids import ObjectId, WorkerId
from .limits import ALARMS_CLAIMED_OF_ONE
from .values import (
    Alarm,
    Claim,
    CommitOutcome,
    DueAlarm,
    DueAlarms,
    KeyRange,
    LeaseGrant,
    LiveWorker,
    Page,
    WorkerIdentity,
    WriteBatch,
)


class LeaseCheck(Protocol):
    """Whether this worker may still speak for its objects."""

    def holds(self) -> bool:
        """True while the lease's margin lasts, at a clock reading made in this call."""
        ...


class ObjectStore(Protocol):
    """The rows of objects, and who owns them."""

    async def claim(self, object_id: ObjectId, worker_id: WorkerId) -> Claim:
        """Make `worker_id` the owner under a new epoch; one short statement.

        An object that nobody holds, that `worker_id` itself holds, or whose holder is marked
        dead (or whose holder's lease has run out: then it is marked dead first) is taken.

        Raises:
            OwnedElsewhere: A live worker holds it, or its row stayed locked past the timeout.
            ObjectDeleted: It is deleted (`core.object_state`); nothing was changed.
            LeaseLost: `worker_id` is not live itself.
            WorkerLeaving: It is, but its row says that it drains.
            StoreUnavailable: The database is away.
        """
        ...

    async def load(self, claim: Claim, *, rows: int, size_bytes: int) -> Page:
        """Return the first page of the claimed object's rows, in a statement after the claim.

        At most `rows` rows and about `size_bytes` bytes (at least one row if there is one). The
        page also tells whether there are alarms.

        Raises:
            OwnershipLost: The object's epoch or commit number is not the claim's.
            StoreUnavailable: The database is away.
        """
        ...

    async def read(self, object_id: ObjectId, keys: Collection[bytes]) -> dict[bytes, bytes]:
        """Return the committed values of those `keys` that exist.

        Raises:
            StoreUnavailable: The database is away.
        """
        ...

    async def scan(self, object_id: ObjectId, wanted: KeyRange) -> Page:
        """Return one page of committed rows; page on from the last key while `more`.

        Raises:
            StoreUnavailable: The database is away.
        """
        ...

    async def expiring(self, object_id: ObjectId, *, limit: int) -> list[tuple[bytes, int]]:
        """Return keys whose committed values expire, those that expire first, with their times.

        Milliseconds since 1970; what has expired is among them. It looks at every row of the
        object.

        Raises:
            StoreUnavailable: The database is away.
        """
        ...

    async def alarm(self, object_id: ObjectId, name: str) -> Alarm | None:
        """Return the committed alarm of that name, if there is one.

        Raises:
            StoreUnavailable: The database is away.
        """
        ...

    async def alarms(self, object_id: ObjectId) -> dict[str, Alarm]:
        """Return all committed alarms of the object by name, those given up included.

        Their number is bounded by what owners write (`limits.ALARMS` and `limits.DEAD_ALARMS`).

        Raises:
            StoreUnavailable: The database is away.
        """
        ...

    async def release(self, claim: Claim) -> None:
        """Give the object up, if the claim's epoch still holds it.

        Leaves no row behind when the object stores nothing: no rows and no alarms, and is not
        frozen. Whoever claims it afterwards finds it as if it had never been.

        Raises:
            StoreUnavailable: The database is away.
        """
        ...

    async def disown(self, object_id: ObjectId, worker_id: WorkerId) -> None:
        """Give the object up if `worker_id` holds it, under whatever epoch; see `release`.

        For a worker whose claim was not answered and who claims nothing meanwhile.

        Raises:
            StoreUnavailable: The database is away.
        """
        ...


class BatchSource(Protocol):
    """A room, as the committer sees it."""

    def take_batch(self) -> WriteBatch | None:
        """Freeze what is to be committed now; None when there is nothing any more.

        Called once per `Committer.enqueue`, as late as possible, so that writes made while
        another commit was in flight join this one. The source makes no further batch before
        `settle`.
        """
        ...

    def settle(self, outcome: CommitOutcome) -> None:
        """Learn how the batch ended.

        Called exactly once for every batch taken, on the event loop; it awaits nothing.
        """
        ...


class Committer(Protocol):
    """Group commit: what became dirty while the last commit was in flight goes in the next."""

    def enqueue(self, source: BatchSource) -> None:
        """Ask for a commit of `source`'s writes. Returns at once."""
        ...


class WorkerLeases(Protocol):
    """The rows of workers. Time is the database's clock."""

    async def register(self, identity: WorkerIdentity, *, lease_seconds: float) -> LeaseGrant:
        """Make a live row for a worker that has none; repeating it answers the same.

        Raises:
            LeaseLost: The worker's id has stood for a life that ended, or stands elsewhere.
            WorkerSlotTaken: A live worker with an unexpired lease stands at (node, slot) under
                another worker id, and was not buried.
            StoreUnavailable: The database is away.
        """
        ...

    async def renew(self, worker_id: WorkerId, *, lease_seconds: float) -> LeaseGrant | None:
        """Extend an unexpired lease of a worker that is not dead; None when it has ended for ever.

        Raises:
            StoreUnavailable: The database is away.
        """
        ...

    async def set_draining(self, worker_id: WorkerId, *, draining: bool) -> bool:
        """Say whether a worker gives its rooms up: while it does, it can claim nothing.

        It changes nothing about the lease, nor about the objects the worker holds. Returns
        False when the worker's lease has ended, and then nothing was changed.

        Raises:
            StoreUnavailable: The database is away.
        """
        ...

    async def retire(self, worker_id: WorkerId) -> None:
        """Mark an own worker dead, at once, because it has stopped by itself.

        Raises:
            StoreUnavailable: The database is away.
        """
        ...

    async def bury(self, *, node: str, slot: int, boot_id: str) -> int:
        """Mark the live workers of (node, slot, boot_id) dead without waiting for their lease.

        The caller must have **proof of death**: it reaped that very process, or holds the
        exclusive lock of the node's data directory in the same boot. Returns how many.

        Raises:
            StoreUnavailable: The database is away.
        """
        ...


class WorkerList(Protocol):
    """Who takes rooms at the moment."""

    async def live(self) -> list[LiveWorker]:
        """Return every worker that is neither dead nor draining and whose lease holds.

        The order says nothing.

        Raises:
            StoreUnavailable: The database is away.
        """
        ...


class AlarmQueue(Protocol):
    """Alarms whose time has come, and who rings them. Time is the database's clock.

    A claim only marks an alarm, for a while; what becomes of the alarm is the business of the
    object's owner. It is void when its time is over or its worker is no longer live.
    """

    async def claim_due(
        self,
        worker_id: WorkerId,
        *,
        limit: int,
        seconds: float,
        each: int = ALARMS_CLAIMED_OF_ONE,
        without: Collection[ObjectId] = (),
    ) -> DueAlarms:
        """Claim at most `limit` due alarms that nobody has claimed, the longest due first.

        At most `each` of one object, and none of the objects `without`: an object with many
        alarms must not keep those of others waiting. A worker that is not live gets none. The
        alarms of frozen and deleted objects wait.
        Nothing is waited for: what somebody else has locked is left out.

        Raises:
            StoreUnavailable: The database is away.
        """
        ...

    async def keep(
        self, worker_id: WorkerId, alarms: Collection[DueAlarm], *, seconds: float
    ) -> None:
        """Let the claims of these alarms end `seconds` from now.

        What the worker no longer claims, or what is another attempt by now, is left alone.

        Raises:
            StoreUnavailable: The database is away.
        """
        ...
