"""The audit: one record for each change that somebody wanted to make by the admin plane.

A record is written before the change is begun and completed when its result is known, so a
change without a record cannot be, and one whose result is missing was cut short. Payloads and
secrets are never part of it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """Who wants what.

    Attributes:
        audit_id: Also the id of the request; ids ascend with time.
        caller: The name of the token.
        role: Its role.
        operation: The operation's name.
        namespace: Of the object, or None.
        object: As it was named, or None.
        path: The path below `/admin/v1`, as it was sent, cut to a bound.
    """

    audit_id: UUID
    caller: str
    role: str
    operation: str
    namespace: str | None = None
    object: str | None = None
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of it.

    Attributes:
        status: The HTTP status.
        code: The error's code; empty for a good answer.
    """

    status: int
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One record.

    Attributes:
        intent: Who wanted what.
        at: When, by the database's clock.
        result: What became of it; None while it is under way, or when it was cut short.
    """

    intent: Intent
    at: datetime
    result: Result | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which records; everything that is given must fit.

    Attributes:
        caller: The name of a token.
        operation: The name of an operation.
        namespace: Of objects.
        object: As it was named.
        since: From this instant on.
        until: Before this instant.
    """

    caller: str | None = None
    operation: str | None = None
    namespace: str | None = None
    object: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditTrail(Protocol):
    """The records of a cluster. Each call raises StoreUnavailable when the database is away."""

    async def begin(self, intent: Intent, result: Result | None = None) -> None:
        """Write a record; a result is given at once for what was refused. May be repeated."""
        ...

    async def complete(self, audit_id: UUID, result: Result) -> None:
        """Add the result; the first one stays."""
        ...

    async def page(
        self, wanted: AuditFilter, *, after: UUID | None, limit: int
    ) -> list[AuditRecord]:
        """Return records, the newest first, those behind (older than) `after`."""
        ...

    async def prune(self, *, days: float, limit: int) -> int:
        """Remove some of the records that are older; returns how many."""
        ...
