"""Idempotency keys in Postgres; see `core.repeats.Repeats`."""

from typing import Final
from uuid import UUID

from ..core.repeats import Claim, Earlier
from .database import Database

_CLAIM: Final = """
insert into admin_request (caller, key, fingerprint, request_id) values ($1, $2, $3, $4)
on conflict (caller, key) do nothing
"""
_EARLIER: Final = """
select fingerprint, request_id, status, answer,
       extract(epoch from clock_timestamp() - started_at)::float8 as age
from admin_request where caller = $1 and key = $2
"""
_ANSWER: Final = """
update admin_request set status = $4, answer = $5
where caller = $1 and key = $2 and request_id = $3 and status is null
"""
_RELEASE: Final = """
delete from admin_request where caller = $1 and key = $2 and request_id = $3 and status is null
"""
_PRUNE: Final = """
with old as (
    select caller, key from admin_request
    where started_at < clock_timestamp() - make_interval(secs => $1) limit $2
)
delete from admin_request r using old where r.caller = old.caller and r.key = old.key
returning 1
"""
_TRIES: Final = 3


class PostgresRepeats:
    """See the module. Cancelling is safe; a claim may then have been made.

    Args:
        database: An open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, claim: Claim) -> Earlier | None:
        """See `Repeats.claim`."""
        for _ in range(_TRIES):  # what was in the way may be gone before it is read
            await self._database.fetch(
                _CLAIM, claim.caller, claim.key, claim.fingerprint, claim.request_id
            )
            for row in await self._database.fetch(_EARLIER, claim.caller, claim.key):
                request_id = UUID(bytes=row["request_id"].bytes)
                if request_id == claim.request_id:
                    return None
                return Earlier(
                    fingerprint=row["fingerprint"],
                    request_id=request_id,
                    age_seconds=row["age"],
                    status=row["status"],
                    body=row["answer"] or b"",
                )
        # Somebody claims it and gives it back all the time: to us it is under way.
        return Earlier(fingerprint=claim.fingerprint, request_id=claim.request_id, age_seconds=0.0)

    async def answer(self, claim: Claim, *, status: int, body: bytes) -> None:
        """See `Repeats.answer`."""
        await self._database.fetch(_ANSWER, claim.caller, claim.key, claim.request_id, status, body)

    async def release(self, claim: Claim) -> None:
        """See `Repeats.release`."""
        await self._database.fetch(_RELEASE, claim.caller, claim.key, claim.request_id)

    async def prune(self, *, seconds: float, limit: int) -> int:
        """See `Repeats.prune`."""
        return len(await self._database.fetch(_PRUNE, seconds, limit))
