"""The in-memory twin of the queue of due alarms; see `memory` for the others."""

from collections import Counter
from collections.abc import Collection
from uuid import UUID

from ..core.ids import ObjectId, WorkerId
from ..core.limits import ALARMS_CLAIMED_OF_ONE
from ..core.values import DueAlarm, DueAlarms
from .memory_database import MemoryAlarm, MemoryDatabase


class MemoryAlarmQueue:
    """Twin of `app.store.alarms.PostgresAlarmQueue`; see `core.ports.AlarmQueue`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def claim_due(
        self,
        worker_id: WorkerId,
        *,
        limit: int,
        seconds: float,
        each: int = ALARMS_CLAIMED_OF_ONE,
        without: Collection[ObjectId] = (),
    ) -> DueAlarms:
        """See `AlarmQueue.claim_due`."""
        database = self._database
        database.check()
        now_ms = database.now_ms()
        if not database.takes_rooms(worker_id):
            return DueAlarms([], now_ms)
        seen = self._due(now_ms, {object_id.uuid for object_id in without})[: limit * 4]
        of_one: Counter[UUID] = Counter()
        claimed: list[DueAlarm] = []
        for alarm, row in seen:
            of_one[alarm.object_id.uuid] += 1
            if of_one[alarm.object_id.uuid] <= each and len(claimed) < limit:
                row.claimed_by = worker_id
                row.claim_until = database.monotonic() + seconds
                claimed.append(alarm)
        return DueAlarms(claimed, now_ms, len(seen) > len(claimed))

    def _due(self, now_ms: int, without: Collection[UUID]) -> list[tuple[DueAlarm, MemoryAlarm]]:
        due: list[tuple[DueAlarm, MemoryAlarm]] = []
        for found in self._database.objects.values():
            still = found.frozen_ms is not None or found.deleted_ms is not None
            if still or found.object_id.uuid in without:
                continue
            for name, row in found.alarms.items():
                at = row.alarm.next_attempt_ms
                if at is not None and at <= now_ms and not self._claimed(row):
                    alarm = DueAlarm(
                        object_id=found.object_id,
                        name=name,
                        due_ms=row.alarm.due_ms,
                        attempt_ms=at,
                    )
                    due.append((alarm, row))
        return sorted(due, key=lambda pair: pair[0].attempt_ms)

    async def keep(
        self, worker_id: WorkerId, alarms: Collection[DueAlarm], *, seconds: float
    ) -> None:
        """See `AlarmQueue.keep`."""
        database = self._database
        database.check()
        for alarm in alarms:
            found = database.objects.get(alarm.object_id.uuid)
            row = found.alarms.get(alarm.name) if found else None
            if row is None or row.claimed_by != worker_id:
                continue
            if row.alarm.next_attempt_ms == alarm.attempt_ms:
                row.claim_until = database.monotonic() + seconds

    def _claimed(self, row: MemoryAlarm) -> bool:
        return (
            row.claimed_by is not None
            and row.claim_until > self._database.monotonic()
            and self._database.live(row.claimed_by)
        )
