"""Requests that may be repeated: what an Idempotency-Key was used for, and what was answered.

A key belongs to its caller. It is claimed before its request is begun, so of twins one runs; a
request that did nothing gives the key back. What is left of a worker's death is a claim without
an answer: nobody knows what it did, so the key is not run again.
"""

from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

ANSWER_BYTES: Final = 1 << 18
"""Largest answer that is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A request that wants to be run once.

    Attributes:
        caller: Whose key it is: a token's, for names come back.
        key: The Idempotency-Key.
        fingerprint: The digest of the request.
        request_id: The request's own id.
    """

    caller: str
    key: str
    fingerprint: bytes
    request_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The request that a key was used for.

    Attributes:
        fingerprint: Its digest.
        request_id: Its id.
        age_seconds: How long ago it was begun.
        status: Of its answer; None while there is none.
        body: Its answer.
    """

    fingerprint: bytes
    request_id: UUID
    age_seconds: float
    status: int | None = None
    body: bytes = b""


class Repeats(Protocol):
    """The keys of a cluster. Each call raises StoreUnavailable when the database is away."""

    async def claim(self, claim: Claim) -> Earlier | None:
        """Claim a key; returns None, or the request that it was used for. May be repeated."""
        ...

    async def answer(self, claim: Claim, *, status: int, body: bytes) -> None:
        """Keep the answer of a claim of one's own; at most ANSWER_BYTES."""
        ...

    async def release(self, claim: Claim) -> None:
        """Give a claim of one's own back: nothing was done."""
        ...

    async def prune(self, *, seconds: float, limit: int) -> int:
        """Forget some of the keys that are older; returns how many."""
        ...
