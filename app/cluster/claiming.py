"""Claiming objects for this worker, and what becomes of a claim that nobody can use.

A worker that drains, or whose lease has ended, claims nothing. What it claimed in the very moment
in which that began is given back; and where the database went away before it answered, the object
may be ours without our knowing (`orphans`).
"""

from collections.abc import Callable, Collection
from contextlib import suppress

from ..core.backup import Staging
from ..core.errors import LeaseLost, StateroomError, StoreUnavailable, WorkerLeaving
from ..core.ids import ObjectId, WorkerId
from ..core.values import Claim
from ..room.environment import RoomEnvironment
from .membership import Membership
from .orphans import Orphans

_MARK_SECONDS = 3.0
"""A mark that was overtaken is put right at the look that follows the next renewal."""
_PAUSE_SECONDS = 0.05


class Claiming:
    """See the module.

    Args:
        environment: Has the store where objects are claimed, and counts takeovers.
        membership: This worker's standing.
        orphans: Told of what is ours and has no room.
        taking: Whether this worker takes objects at all.
    """

    def __init__(
        self,
        environment: RoomEnvironment,
        membership: Membership,
        orphans: Orphans,
        taking: Callable[[], bool],
    ) -> None:
        self._environment = environment
        self._membership = membership
        self._orphans = orphans
        self._taking = taking

    async def claim(self, object_id: ObjectId) -> Claim:
        """Make this worker the owner.

        Raises:
            OwnedElsewhere, StoreUnavailable: See `ObjectStore.claim`.
            LeaseLost: This worker is not live.
            WorkerLeaving: It takes no objects.
        """
        self._check()
        worker_id = self._membership.worker_id
        try:
            claim = await self._ask(object_id, worker_id)
        except StoreUnavailable:
            self._orphans.doubt(object_id, worker_id)
            raise
        self._orphans.discard(object_id.uuid)
        if not self._taking():
            await self.give_back(claim)
            raise WorkerLeaving
        if claim.worker_id != self._membership.worker_id or not self._membership.holds():
            raise LeaseLost
        if claim.taken_over:
            self._environment.counters("failovers")
        return claim

    async def give_back(self, claim: Claim) -> None:
        """Release a claim that nobody uses any more; if need be later, once the database is back.

        Cancelled, it is released later too.
        """
        self._orphans.add(claim)
        await self._orphans.release(claim.object_id.uuid)

    async def claim_new(self, objects: Collection[ObjectId], staging: Staging) -> list[Claim]:
        """Make this worker the owner of those objects that do not exist yet.

        Raises:
            StoreUnavailable, LeaseLost, WorkerLeaving: See `claim`; nothing is held then.
        """
        self._check()
        worker_id = self._membership.worker_id
        try:
            claims = await staging.claim_new(objects, worker_id)
        except StoreUnavailable:
            for object_id in objects:
                self._orphans.doubt(object_id, worker_id)
            raise
        try:
            self._check()
            if worker_id != self._membership.worker_id:
                raise LeaseLost
        except StateroomError:
            await self.give_back_all(claims, staging)
            raise
        return claims

    async def give_back_all(self, claims: Collection[Claim], staging: Staging) -> None:
        """Release many claims; see `give_back`."""
        for claim in claims:
            self._orphans.add(claim)
        with suppress(StoreUnavailable):
            for key in await staging.release_written(claims):
                self._orphans.discard(key)
        for claim in claims:  # what was claimed and not written
            await self._orphans.release(claim.object_id.uuid)

    def _check(self) -> None:
        if not self._taking():
            raise WorkerLeaving
        if not self._membership.holds():
            raise LeaseLost

    async def _ask(self, object_id: ObjectId, worker_id: WorkerId) -> Claim:
        """Ask the database, again while it says that we drain and we do not (`DrainMark`).

        It answers what was so when it looked: the drain may have ended since, or the mark that
        takes its place may still be on its way.
        """
        give_up_at = self._environment.clock.monotonic() + _MARK_SECONDS
        while True:
            try:
                return await self._environment.store.claim(object_id, worker_id)
            except WorkerLeaving:
                if not self._taking() or self._environment.clock.monotonic() >= give_up_at:
                    raise
            await self._environment.clock.sleep(_PAUSE_SECONDS)
