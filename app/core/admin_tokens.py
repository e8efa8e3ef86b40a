"""Tokens of the admin plane: who holds one, what it may do, and how it is written.

A token is `stm_`, 16 hex digits that say which one it is, `_` and 64 that are the secret. It is
found by its public part and judged by the hash of its secret, which is all that is stored. The
secret is random, so a plain hash is as good as a slow one.
"""

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple, Protocol

from .admin import Role

TOKEN_NAME_CHARACTERS: Final = 100

_FORM: Final = re.compile(r"stm_([0-9a-f]{16})_([0-9a-f]{64})")
_PUBLIC_BYTES: Final = 8
_SECRET_BYTES: Final = 32


class TokenText(NamedTuple):
    """A token as its holder shows it, in its two parts."""

    token_id: str
    secret: str

    def __str__(self) -> str:
        return f"stm_{self.token_id}_{self.secret}"

    @classmethod
    def new(cls) -> "TokenText":
        """A token that nobody had before."""
        return cls(secrets.token_hex(_PUBLIC_BYTES), secrets.token_hex(_SECRET_BYTES))

    @classmethod
    def read(cls, text: str) -> "TokenText | None":
        """Read what was shown; None when it is no token of this form."""
        found = _FORM.fullmatch(text)
        return None if found is None else cls(found[1], found[2])

    @property
    def secret_hash(self) -> bytes:
        """What is stored of the secret."""
        return sha256(self.secret.encode()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminToken:
    """One token, as the store knows it.

    Attributes:
        token_id: Its public part.
        name: What its callers are called in the audit; unique among those not revoked.
        role: What it may do.
        secret_hash: The SHA-256 of its secret.
        created_at: When it was made.
        created_by: By whom.
        expires_at: From when on it is not valid, if ever.
        last_used_at: About when it was last used, to the hour.
        revoked_at: When it was revoked, if it was.
        valid: Whether it is neither expired nor revoked, by the database's clock.
    """

    token_id: str
    name: str
    role: Role
    secret_hash: bytes = field(repr=False)
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    valid: bool = True


class AdminTokens(Protocol):
    """The tokens of a cluster. Each call raises StoreUnavailable when the database is away."""

    async def add(
        self, token: TokenText, *, name: str, role: Role, by: str, expires_at: datetime | None
    ) -> AdminToken | None:
        """Store a new token; None when a token that is not revoked has that name."""
        ...

    async def find(self, token_id: str) -> AdminToken | None:
        """Return a token by its public part, valid or not."""
        ...

    async def used(self, token_id: str) -> None:
        """Note that a token was just used; written at most once an hour."""
        ...

    async def revoke(self, token_id: str) -> AdminToken | None:
        """Make a token invalid for ever; one that already is stays as it is. None: no such one."""
        ...

    async def page(self, *, after: str | None, limit: int) -> list[AdminToken]:
        """Return tokens in the order of their ids, those behind `after`."""
        ...
