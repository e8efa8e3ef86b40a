"""The in-memory twin of `core.alarm_lists`; see `memory` for the others."""

from collections.abc import Iterator

from ..core.alarm_lists import AlarmPosition, ListedAlarm
from .memory_database import MemoryDatabase

_Placed = tuple[AlarmPosition, ListedAlarm]


class MemoryAlarmLists:
    """Twin of `app.store.alarm_lists.PostgresAlarmLists`; see `core.alarm_lists.AlarmLists`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def due(
        self, *, limit: int, after: AlarmPosition | None = None, until_ms: int | None = None
    ) -> list[ListedAlarm]:
        """See `AlarmLists.due`."""
        found = [
            (place, listed)
            for place, listed in self._placed(dead=False)
            if (after is None or place > after) and (until_ms is None or place.at_ms < until_ms)
        ]
        return _first(sorted(found, key=_place), limit)

    async def dead(
        self, *, limit: int, after: AlarmPosition | None = None, namespace: str | None = None
    ) -> list[ListedAlarm]:
        """See `AlarmLists.dead`."""
        found = [
            (place, listed)
            for place, listed in self._placed(dead=True)
            if (after is None or place < after)
            and (namespace is None or listed.object_id.namespace == namespace)
        ]
        return _first(sorted(found, key=_place, reverse=True), limit)

    def _placed(self, *, dead: bool) -> Iterator[_Placed]:
        self._database.check()
        for found in self._database.objects.values():
            for name, row in found.alarms.items():
                alarm = row.alarm
                if (alarm.next_attempt_ms is None) is not dead:
                    continue
                at_ms = alarm.due_ms if alarm.next_attempt_ms is None else alarm.next_attempt_ms
                listed = ListedAlarm(object_id=found.object_id, name=name, alarm=alarm)
                yield AlarmPosition(at_ms, found.object_id.uuid, name), listed


def _place(placed: _Placed) -> AlarmPosition:
    return placed[0]


def _first(placed: list[_Placed], limit: int) -> list[ListedAlarm]:
    return [listed for _, listed in placed[:limit]]
