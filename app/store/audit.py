"""The audit in Postgres; see `core.audit.AuditTrail`.

Ids ascend with time, so the newest records are the end of one index and the oldest its
beginning: a page and a step of pruning read no more than they return, unless filters fit little.
"""

from typing import Any, Final
from uuid import UUID

from ..core.audit import AuditFilter, AuditRecord, Intent, Result
from .database import Database

_BEGIN: Final = """
insert into admin_audit
    (audit_id, caller, role, operation, namespace, object, path, status, code)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (audit_id) do nothing
"""
_COMPLETE: Final = """
update admin_audit set status = $2, code = $3 where audit_id = $1 and status is null
"""
PAGE: Final = """
select audit_id, at, caller, role, operation, namespace, object, path, status, code
from admin_audit
where ($1::uuid is null or audit_id < $1)
  and ($2::text is null or caller = $2)
  and ($3::text is null or operation = $3)
  and ($4::text is null or namespace = $4)
  and ($5::text is null or object = $5)
  and ($6::timestamptz is null or at >= $6)
  and ($7::timestamptz is null or at < $7)
order by audit_id desc limit $8
"""
PRUNE: Final = """
with oldest as (select audit_id, at from admin_audit order by audit_id limit $2)
delete from admin_audit using oldest
where admin_audit.audit_id = oldest.audit_id
  and oldest.at < clock_timestamp() - make_interval(secs => $1)
returning 1
"""
_DAY_SECONDS: Final = 86_400.0


class PostgresAuditTrail:
    """See the module. Cancelling is safe.

    Args:
        database: An open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, intent: Intent, result: Result | None = None) -> None:
        """See `AuditTrail.begin`."""
        await self._database.fetch(
            _BEGIN,
            intent.audit_id,
            intent.caller,
            intent.role,
            intent.operation,
            intent.namespace,
            intent.object,
            intent.path,
            None if result is None else result.status,
            "" if result is None else result.code,
        )

    async def complete(self, audit_id: UUID, result: Result) -> None:
        """See `AuditTrail.complete`."""
        await self._database.fetch(_COMPLETE, audit_id, result.status, result.code)

    async def page(
        self, wanted: AuditFilter, *, after: UUID | None, limit: int
    ) -> list[AuditRecord]:
        """See `AuditTrail.page`."""
        rows = await self._database.fetch(
            PAGE,
            after,
            wanted.caller,
            wanted.operation,
            wanted.namespace,
            wanted.object,
            wanted.since,
            wanted.until,
            limit,
        )
        return [_record(row) for row in rows]

    async def prune(self, *, days: float, limit: int) -> int:
        """See `AuditTrail.prune`."""
        return len(await self._database.fetch(PRUNE, days * _DAY_SECONDS, limit))


def _record(row: Any) -> AuditRecord:
    status = row["status"]
    return AuditRecord(
        intent=Intent(
            audit_id=UUID(bytes=row["audit_id"].bytes),
            caller=row["caller"],
            role=row["role"],
            operation=row["operation"],
            namespace=row["namespace"],
            object=row["object"],
            path=row["path"],
        ),
        at=row["at"],
        result=None if status is None else Result(status=status, code=row["code"]),
    )
