"""The alarms of all objects: the Postgres side of `core.alarm_lists`.

Both lists walk an index in its order. The bound on the time alone lets a page begin where it
must; the whole position then leaves out what stands before it at the same time.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from ..core.alarm_lists import AlarmPosition, ListedAlarm
from ..core.ids import ObjectId
from .alarms import ALARM_COLUMNS, alarm_of
from .database import Database

_AT: Final = "(timestamptz 'epoch' + {} * interval '1 millisecond')"
_NOBODY: Final = UUID(int=0)

# $1 how many, $2 time, $3 object and $4 name of the position, $5 the end
DUE: Final = f"""
select {ALARM_COLUMNS}, a.object_id, o.namespace, o.name as object_name
from object_alarm a join object o using (object_id)
where a.next_attempt_at is not null and a.next_attempt_at >= {_AT.format("$2::int8")}
  and (a.next_attempt_at, a.object_id, a.name collate "C")
      > ({_AT.format("$2::int8")}, $3::uuid, $4::text collate "C")
  and a.next_attempt_at < {_AT.format("$5::int8")}
order by a.next_attempt_at, a.object_id, a.name collate "C"
limit $1
"""  # noqa: S608 - no value in it

# The same; $5 the namespace or null
DEAD: Final = f"""
select {ALARM_COLUMNS}, a.object_id, o.namespace, o.name as object_name
from object_alarm a join object o using (object_id)
where a.next_attempt_at is null and a.due_at <= {_AT.format("$2::int8")}
  and (a.due_at, a.object_id, a.name collate "C")
      < ({_AT.format("$2::int8")}, $3::uuid, $4::text collate "C")
  and ($5::text is null or o.namespace = $5)
order by a.due_at desc, a.object_id desc, a.name collate "C" desc
limit $1
"""  # noqa: S608 - no value in it

_BEGINNING: Final = AlarmPosition(-(1 << 45), _NOBODY, "")
_END: Final = AlarmPosition(1 << 47, UUID(int=(1 << 128) - 1), "")
"""Before and behind every time that Postgres and we can write."""


class PostgresAlarmLists:
    """See the module and `AlarmLists`. Cancelling is safe.

    Args:
        database: An open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(
        self, *, limit: int, after: AlarmPosition | None = None, until_ms: int | None = None
    ) -> list[ListedAlarm]:
        """See `AlarmLists.due`."""
        end_ms = _END.at_ms if until_ms is None else until_ms
        return await self._listed(DUE, limit, after or _BEGINNING, end_ms)

    async def dead(
        self, *, limit: int, after: AlarmPosition | None = None, namespace: str | None = None
    ) -> list[ListedAlarm]:
        """See `AlarmLists.dead`."""
        return await self._listed(DEAD, limit, after or _END, namespace)

    async def _listed(
        self, statement: str, limit: int, after: AlarmPosition, last: object
    ) -> list[ListedAlarm]:
        rows: Sequence[Any] = await self._database.fetch(statement, limit, *after, last)
        return [
            ListedAlarm(object_id=self._object_of(row), name=row["name"], alarm=alarm_of(row))
            for row in rows
        ]

    def _object_of(self, row: Any) -> ObjectId:
        ids = self._database.object_ids
        return ids.from_row(row["namespace"], row["object_id"], row["object_name"])
