"""What objects cost by the day: the Postgres side of `core.usage.UsageBook`.

One statement adds the figures of many objects. Names stand in the table, for an object that
stores nothing leaves no other row, and may be the most expensive of all.
"""

from collections.abc import Sequence
from typing import Any, Final

from ..core.ids import ObjectId
from ..core.usage import Usage, UsageByDay, UsageMeasure, UsedObject
from .database import Database

_FIGURES: Final = ", ".join(Usage._fields)
# As a query of its own: what may change from row to row is no condition for an index.
_TODAY: Final = "(select (clock_timestamp() at time zone 'UTC')::date)"

# $1 objects, $2 namespaces, $3 names, then the figures, all as long. In the order of the ids,
# so that workers which write the same objects wait for one another and never in a circle.
_ADD: Final = f"""
insert into object_usage as u (object_id, day, namespace, name, {_FIGURES})
select w.object_id, {_TODAY}, w.namespace, w.name,
       {", ".join(f"w.{figure}" for figure in Usage._fields)}
from unnest(
    $1::uuid[], $2::text[], $3::text[],
    {", ".join(f"${number}::int8[]" for number in range(4, 4 + len(Usage._fields)))}
) as w (object_id, namespace, name, {_FIGURES})
order by w.object_id
on conflict (object_id, day) do update
set {", ".join(f"{figure} = u.{figure} + excluded.{figure}" for figure in Usage._fields)}
"""  # noqa: S608 - no value in it

# $1 object, $2 days
_DAYS: Final = f"""
select day, {_FIGURES} from object_usage where object_id = $1 order by day desc limit $2
"""  # noqa: S608 - no value in it

# $1 most objects
_TOP: Final = f"""
select object_id, namespace, name, {_FIGURES} from object_usage
where day = {_TODAY} and {{figure}} > 0
order by {{figure}} desc, object_id desc limit $1
"""  # noqa: S608 - no value in it

# $1 days, $2 most rows
_PRUNE: Final = f"""
delete from object_usage u using (
    select object_id, day from object_usage where day <= {_TODAY} - $1::int
    order by day, cpu_us, object_id limit $2 for update skip locked
) as old
where u.object_id = old.object_id and u.day = old.day
returning 1
"""  # noqa: S608 - no value in it


def top_statement(measure: UsageMeasure) -> str:
    """The statement for a measure; each has an index of its own."""
    return _TOP.format(figure=measure.field)


class PostgresUsageBook:
    """See the module and `UsageBook`. Cancelling is safe.

    Args:
        database: An open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ids = database.object_ids

    async def add(self, used: Sequence[UsedObject]) -> None:
        """See `UsageBook.add`. An object stands once in `used`."""
        objects = [each.object_id for each in used]
        await self._database.fetch(
            _ADD,
            [each.uuid for each in objects],
            [each.namespace for each in objects],
            [each.name for each in objects],
            *(list(column) for column in zip(*(each.usage for each in used), strict=True)),
        )

    async def days(self, object_id: ObjectId, *, days: int) -> list[UsageByDay]:
        """See `UsageBook.days`."""
        rows = await self._database.fetch(_DAYS, object_id.uuid, days)
        return [UsageByDay(row["day"], _usage_of(row)) for row in rows]

    async def top(self, measure: UsageMeasure, *, limit: int) -> list[UsedObject]:
        """See `UsageBook.top`."""
        rows = await self._database.fetch(top_statement(measure), limit)
        return [
            UsedObject(
                self._ids.from_row(row["namespace"], row["object_id"], row["name"]),
                _usage_of(row),
            )
            for row in rows
        ]

    async def prune(self, *, days: int, limit: int) -> int:
        """Remove some of what is older than so many days; returns how many rows that were.

        Raises:
            StoreUnavailable: The database is away.
        """
        return len(await self._database.fetch(_PRUNE, days, limit))


def _usage_of(row: Any) -> Usage:
    return Usage(*(row[figure] for figure in Usage._fields))
