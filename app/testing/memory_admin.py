"""The in-memory twins of what the admin plane keeps: tokens, audit, idempotency keys."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from ..core.admin import Role
from ..core.admin_tokens import AdminToken, TokenText
from ..core.audit import AuditFilter, AuditRecord, Intent, Result
from ..core.instants import instant_of_ms
from ..core.repeats import Claim, Earlier
from .memory_database import MemoryDatabase

_COARSE = timedelta(hours=1)


class MemoryAdminTokens:
    """Twin of `app.store.admin_tokens.PostgresAdminTokens`; see `core.admin_tokens`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._tokens: dict[str, AdminToken] = {}

    async def add(
        self, token: TokenText, *, name: str, role: Role, by: str, expires_at: datetime | None
    ) -> AdminToken | None:
        """See `AdminTokens.add`."""
        now = _now(self._database)
        if any(each.name == name and not each.revoked_at for each in self._tokens.values()):
            return None
        self._tokens[token.token_id] = AdminToken(
            token_id=token.token_id,
            name=name,
            role=role,
            secret_hash=token.secret_hash,
            created_at=now,
            created_by=by,
            expires_at=expires_at,
        )
        return await self.find(token.token_id)

    async def find(self, token_id: str) -> AdminToken | None:
        """See `AdminTokens.find`."""
        now = _now(self._database)
        found = self._tokens.get(token_id)
        if found is None:
            return None
        lives = found.expires_at is None or found.expires_at > now
        return replace(found, valid=lives and found.revoked_at is None)

    async def used(self, token_id: str) -> None:
        """See `AdminTokens.used`."""
        now = _now(self._database)
        found = self._tokens.get(token_id)
        if found and (found.last_used_at is None or found.last_used_at < now - _COARSE):
            self._tokens[token_id] = replace(found, last_used_at=now)

    async def revoke(self, token_id: str) -> AdminToken | None:
        """See `AdminTokens.revoke`."""
        now = _now(self._database)
        found = self._tokens.get(token_id)
        if found is not None and found.revoked_at is None:
            self._tokens[token_id] = replace(found, revoked_at=now)
        return await self.find(token_id)

    async def page(self, *, after: str | None, limit: int) -> list[AdminToken]:
        """See `AdminTokens.page`."""
        ids = sorted(each for each in self._tokens if after is None or each > after)
        found = [await self.find(each) for each in ids[:limit]]
        return [token for token in found if token is not None]


class MemoryAuditTrail:
    """Twin of `app.store.audit.PostgresAuditTrail`; see `core.audit`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._records: dict[UUID, AuditRecord] = {}

    async def begin(self, intent: Intent, result: Result | None = None) -> None:
        """See `AuditTrail.begin`."""
        made = AuditRecord(intent=intent, at=_now(self._database), result=result)
        self._records.setdefault(intent.audit_id, made)

    async def complete(self, audit_id: UUID, result: Result) -> None:
        """See `AuditTrail.complete`."""
        self._database.check()
        found = self._records.get(audit_id)
        if found is not None and found.result is None:
            self._records[audit_id] = replace(found, result=result)

    async def page(
        self, wanted: AuditFilter, *, after: UUID | None, limit: int
    ) -> list[AuditRecord]:
        """See `AuditTrail.page`."""
        self._database.check()
        found = sorted(self._records.items(), reverse=True)
        kept = [
            record
            for audit_id, record in found
            if (after is None or audit_id < after) and _fits(record, wanted)
        ]
        return kept[:limit]

    async def prune(self, *, days: float, limit: int) -> int:
        """See `AuditTrail.prune`."""
        end = _now(self._database) - timedelta(days=days)
        oldest = sorted(self._records)[:limit]
        old = [audit_id for audit_id in oldest if self._records[audit_id].at < end]
        for audit_id in old:
            del self._records[audit_id]
        return len(old)


@dataclass(slots=True)
class _Repeat:
    earlier: Earlier
    at: datetime


class MemoryRepeats:
    """Twin of `app.store.repeats.PostgresRepeats`; see `core.repeats`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._requests: dict[tuple[str, str], _Repeat] = {}

    async def claim(self, claim: Claim) -> Earlier | None:
        """See `Repeats.claim`."""
        now = _now(self._database)
        made = Earlier(fingerprint=claim.fingerprint, request_id=claim.request_id, age_seconds=0.0)
        found = self._requests.setdefault((claim.caller, claim.key), _Repeat(made, now))
        if found.earlier.request_id == claim.request_id:
            return None
        return replace(found.earlier, age_seconds=(now - found.at).total_seconds())

    async def answer(self, claim: Claim, *, status: int, body: bytes) -> None:
        """See `Repeats.answer`."""
        found = self._mine(claim)
        if found is not None:
            found.earlier = replace(found.earlier, status=status, body=body)

    async def release(self, claim: Claim) -> None:
        """See `Repeats.release`."""
        if self._mine(claim) is not None:
            del self._requests[claim.caller, claim.key]

    async def prune(self, *, seconds: float, limit: int) -> int:
        """See `Repeats.prune`."""
        end = _now(self._database) - timedelta(seconds=seconds)
        old = [key for key, each in self._requests.items() if each.at < end][:limit]
        for key in old:
            del self._requests[key]
        return len(old)

    def _mine(self, claim: Claim) -> _Repeat | None:
        self._database.check()
        found = self._requests.get((claim.caller, claim.key))
        if found is None or found.earlier.request_id != claim.request_id:
            return None
        return found if found.earlier.status is None else None


def _now(database: MemoryDatabase) -> datetime:
    database.check()
    return instant_of_ms(database.now_ms())


def _fits(record: AuditRecord, wanted: AuditFilter) -> bool:
    pairs = [
        (wanted.caller, record.intent.caller),
        (wanted.operation, record.intent.operation),
        (wanted.namespace, record.intent.namespace),
        (wanted.object, record.intent.object),
    ]
    if any(asked is not None and asked != is_ for asked, is_ in pairs):
        return False
    late = wanted.until is not None and record.at >= wanted.until
    return not late and (wanted.since is None or record.at >= wanted.since)
