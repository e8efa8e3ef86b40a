"""The in-memory twin of how objects stand; see `memory` for the others."""

from collections.abc import Collection
from itertools import islice
from uuid import UUID

from ..core.ids import ObjectId
from ..core.object_state import ObjectState
from ..core.values import Claim
from .memory_database import MemoryDatabase, MemoryObject


class MemoryObjectStates:
    """Twin of `app.store.object_states.PostgresObjectStates`; see `core.object_state`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def state(self, object_id: ObjectId) -> ObjectState | None:
        """See `ObjectStates.state`."""
        self._database.check()
        found = self._database.objects.get(object_id.uuid)
        if found is None:
            return None
        return ObjectState(
            object_id=found.object_id,
            worker_id=found.worker_id,
            frozen_ms=found.frozen_ms,
            deleted_ms=found.deleted_ms,
            purge_ms=found.purge_ms,
            purging=found.purging,
        )

    async def set_frozen(self, claim: Claim, *, frozen: bool) -> bool:
        """See `ObjectStates.set_frozen`."""
        found = self._held(claim)
        if found is None:
            return False
        if not frozen:
            found.frozen_ms = None
        elif found.frozen_ms is None:
            found.frozen_ms = self._database.now_ms()
        return True

    async def delete(self, claim: Claim, *, grace_seconds: float) -> bool:
        """See `ObjectStates.delete`."""
        found = self._held(claim)
        if found is None:
            return False
        now_ms = self._database.now_ms()
        found.worker_id = None
        found.deleted_ms = now_ms
        found.purge_ms = now_ms + int(grace_seconds * 1000)
        return True

    async def set_purge(self, object_id: ObjectId, *, grace_seconds: float) -> bool:
        """See `ObjectStates.set_purge`."""
        found = self._restorable(object_id)
        if found is None:
            return False
        found.purge_ms = self._database.now_ms() + int(grace_seconds * 1000)
        return True

    async def undelete(self, object_id: ObjectId) -> bool:
        """See `ObjectStates.undelete`."""
        found = self._restorable(object_id)
        if found is None:
            return False
        found.deleted_ms = found.purge_ms = None
        return True

    async def deleted(self, *, after: tuple[int, UUID] | None, limit: int) -> list[ObjectState]:
        """See `ObjectStates.deleted`."""
        found = [await self.state(each.object_id) for each in self._database.objects.values()]
        due = {
            (state.purge_ms, state.object_id.uuid): state
            for state in found
            if state is not None and state.purge_ms is not None
        }
        return [due[place] for place in sorted(due) if after is None or place > after][:limit]

    async def begin_purges(
        self, *, limit: int, only: Collection[ObjectId] | None = None
    ) -> list[ObjectId]:
        """See `ObjectStates.begin_purges`."""
        self._database.check()
        now_ms = self._database.now_ms()
        due: list[tuple[int, MemoryObject]] = []
        for found in self._database.objects.values():
            if only is not None and found.object_id not in only:
                continue
            if found.purge_ms is not None and found.purge_ms <= now_ms:
                due.append((found.purge_ms, found))
        chosen = [found for _, found in sorted(due, key=lambda each: each[0])[:limit]]
        for found in chosen:
            found.purging = True
        return [found.object_id for found in chosen]

    async def purge_step(self, object_id: ObjectId, *, rows: int) -> bool:
        """See `ObjectStates.purge_step`."""
        self._database.check()
        found = self._database.objects.get(object_id.uuid)
        if found is None or not found.purging:
            return True
        removed = 0
        for table in (found.rows, found.alarms, found.past.commits):
            for key in list(islice(table, rows)):
                del table[key]  # type: ignore[arg-type]  # a key of this very table
                removed += 1
        if not removed:
            del self._database.objects[object_id.uuid]
        return not removed

    def _restorable(self, object_id: ObjectId) -> MemoryObject | None:
        self._database.check()
        found = self._database.objects.get(object_id.uuid)
        if found is None or found.deleted_ms is None or found.purging:
            return None
        return found

    def _held(self, claim: Claim) -> MemoryObject | None:
        self._database.check()
        found = self._database.objects.get(claim.object_id.uuid)
        if found is None or (found.epoch, found.worker_id) != (claim.epoch, claim.worker_id):
            return None
        return found
