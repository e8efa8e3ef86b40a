"""Objects that the database still calls ours although no room of ours holds them any more.

A room that was thrown away has released nothing. Its object would be asked for here for as long
as this worker lives, also while it drains and can claim nothing; so it is released afterwards, by
its claim: a claim that was followed by another one matches nothing.

A claim that the database never answered may have been made all the same. While this worker takes
objects that does no harm: whoever asks for the object is sent here, and claims it again. Once the
worker drains nobody could, so then it is given up.
"""

from uuid import UUID

from ..core.errors import StateroomError
from ..core.ids import ObjectId, WorkerId
from ..core.ports import ObjectStore
from ..core.values import Claim

_DOUBTS = 10_000
"""So many are remembered; beyond that the oldest is forgotten."""


class Orphans:
    """See the module.

    Args:
        store: Where they are released.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._claims: dict[UUID, Claim] = {}
        self._doubts: dict[UUID, tuple[ObjectId, WorkerId]] = {}

    def __len__(self) -> int:
        return len(self._claims)

    def add(self, claim: Claim) -> None:
        """Note a claim whose room is gone."""
        self._claims[claim.object_id.uuid] = claim

    def doubt(self, object_id: ObjectId, worker_id: WorkerId) -> None:
        """Note an object whose claim was not answered."""
        self._doubts[object_id.uuid] = object_id, worker_id
        if len(self._doubts) > _DOUBTS:
            del self._doubts[next(iter(self._doubts))]

    def discard(self, key: UUID) -> None:
        """The object has been claimed anew."""
        self._claims.pop(key, None)
        self._doubts.pop(key, None)

    async def release(self, key: UUID) -> None:
        """Release one. While the database is away it stays for a later `release_all`."""
        claim = self._claims.get(key)
        if claim is not None:
            try:
                await self._store.release(claim)
            except StateroomError:
                return
            if self._claims.get(key) is claim:
                del self._claims[key]

    async def release_all(self, *, draining: bool) -> None:
        """Release what is left, as far as the database goes along.

        `draining`: nothing is claimed by this worker any more.
        """
        if draining:
            await self._settle_doubts()
        for key in list(self._claims):
            before = len(self._claims)
            await self.release(key)
            if len(self._claims) >= before:
                return

    async def _settle_doubts(self) -> None:
        for key, (object_id, worker_id) in list(self._doubts.items()):
            try:
                await self._store.disown(object_id, worker_id)
            except StateroomError:
                return
            self._doubts.pop(key, None)
