"""The in-memory twin of `core.usage.UsageBook`; see `memory` for the others. It knows one day."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from ..core.ids import ObjectId
from ..core.usage import UsageByDay, UsageMeasure, UsedObject
from .memory_database import MemoryDatabase


class MemoryUsageBook:
    """Twin of `app.store.usage.PostgresUsageBook`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._used: dict[UUID, UsedObject] = {}

    async def add(self, used: Sequence[UsedObject]) -> None:
        """See `UsageBook.add`."""
        self._database.check()
        for each in used:
            known = self._used.get(each.object_id.uuid)
            usage = each.usage if known is None else known.usage.plus(each.usage)
            self._used[each.object_id.uuid] = UsedObject(each.object_id, usage)

    async def days(self, object_id: ObjectId, *, days: int) -> list[UsageByDay]:
        """See `UsageBook.days`."""
        self._database.check()
        used = self._used.get(object_id.uuid)
        return [] if used is None or days < 1 else [UsageByDay(_TODAY, used.usage)]

    async def top(self, measure: UsageMeasure, *, limit: int) -> list[UsedObject]:
        """See `UsageBook.top`."""
        self._database.check()
        found = [used for used in self._used.values() if measure.of(used.usage)]
        found.sort(
            key=lambda used: (measure.of(used.usage), used.object_id.uuid.bytes), reverse=True
        )
        return found[:limit]


_TODAY = date(1970, 1, 1)
