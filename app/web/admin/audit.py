"""The audit, read: who changed what, when, and what became of it; the newest first."""

from typing import Annotated, Final
from uuid import UUID

from pydantic import AwareDatetime, Field

from ...core.admin import Role
from ...core.audit import AuditFilter, AuditRecord, AuditTrail
from .models import Instant, Page, PageQuery, Told
from .operation import AdminCall, Operation
from .paging import Keyset

_TAG: Final = "audit"

Word = Annotated[str, Field(max_length=1_100)]


class AuditQuery(PageQuery):
    """Which records; everything that is given must fit."""

    caller: Word | None = None
    """The name of a token."""
    operation: Word | None = None
    """The operationId."""
    namespace: Word | None = None
    """Of objects."""
    object: Word | None = None
    """As the request named it."""
    since: AwareDatetime | None = None
    """From this instant on."""
    until: AwareDatetime | None = None
    """Before this instant."""


class AuditShown(Told):
    """One change that somebody wanted."""

    id: str
    """The request's id, which every answer carries in `Stateroom-Request-Id`."""
    at: Instant
    """When."""
    caller: str
    """The name of the token."""
    role: str
    """Its role then."""
    operation: str
    """The operationId."""
    namespace: str | None
    """Of the object; null when no object was named."""
    object: str | None
    """As the request named it."""
    path: str
    """The path below `/admin/v1`, as it was sent."""
    status: int | None
    """The answer's HTTP status; null while it is under way, or when it was cut short."""
    code: str
    """The error's code; empty for a good answer."""


class AuditOperations:
    """See the module.

    Args:
        trail: The store's.
    """

    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail
        self._keyset = Keyset("audit", str)

    def operations(self) -> list[Operation]:
        """What this area offers."""
        return [
            Operation(
                name="list_audit",
                method="GET",
                path="/audit",
                role=Role.OPERATOR,
                tag=_TAG,
                summary="List changes that were made or refused, the newest first",
                handle=self._list,
                query=AuditQuery,
                answer=Page[AuditShown],
            )
        ]

    async def _list(self, call: AdminCall) -> Page[AuditShown]:
        query: AuditQuery = call.query
        wanted = self._keyset.slice(query)
        filters = AuditFilter(
            caller=query.caller,
            operation=query.operation,
            namespace=query.namespace,
            object=query.object,
            since=query.since,
            until=query.until,
        )
        after = None if wanted.after is None else UUID(wanted.after[0])
        found = await self._trail.page(filters, after=after, limit=wanted.limit)
        records, cursor = self._keyset.page(query, found, lambda each: (each.intent.audit_id.hex,))
        return Page(items=[_shown(record) for record in records], next_cursor=cursor)


def _shown(record: AuditRecord) -> AuditShown:
    intent, result = record.intent, record.result
    return AuditShown(
        id=intent.audit_id.hex,
        at=record.at,
        caller=intent.caller,
        role=intent.role,
        operation=intent.operation,
        namespace=intent.namespace,
        object=intent.object,
        path=intent.path,
        status=None if result is None else result.status,
        code="" if result is None else result.code,
    )
