"""Objects that the database still calls ours although no room of ours holds them any more.

A room that was thrown away has released nothing. Its object would be asked for here for as long
as this worker lives, also while it drains and can claim nothing; so it is released afterwards, by
its claim: a claim that was followed by another one matches nothing.
"""

from uuid import UUID

from ..core.errors import StateroomError
from ..core.ports import ObjectStore
from ..core.values import Claim


class Orphans:
    """See the module.

    Args:
        store: Where they are released.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._claims: dict[UUID, Claim] = {}

    def __len__(self) -> int:
        return len(self._claims)

    def add(self, claim: Claim) -> None:
        """Note a claim whose room is gone."""
        self._claims[claim.object_id.uuid] = claim

    def discard(self, key: UUID) -> None:
        """The object has been claimed anew."""
        self._claims.pop(key, None)

    def clear(self) -> None:
        """All of them belong to a worker that is dead."""
        self._claims.clear()

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

    async def release_all(self) -> None:
        """Release what is left, as far as the database goes along."""
        for key in list(self._claims):
            before = len(self._claims)
            await self.release(key)
            if len(self._claims) >= before:
                return
