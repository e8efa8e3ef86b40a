"""What an object stores, key by key without the values: a port for those who look from outside.

Committed rows as they lie there; what has expired and is not yet removed is among them.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Protocol

from .ids import ObjectId
from .storage_codec import EXPIRING, expiry_ms, is_raw
from .values import KeyRange

_VERSION_BYTES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """One row, by its first bytes.

    Attributes:
        key: Its key.
        size_bytes: Of the value as it is stored.
        raw: Whether the value is bytes.
        expires_ms: When it expires, milliseconds since 1970, if it does.
    """

    key: bytes
    size_bytes: int
    raw: bool
    expires_ms: int | None

    @classmethod
    def from_row(cls, key: bytes, size_bytes: int, form: bytes) -> "StoredKey":
        """Make one of a row; `form` is the first `FORM_BYTES` of its value, or more."""
        expires = expiry_ms(form) if form[0] == EXPIRING else None
        return cls(key=key, size_bytes=size_bytes, raw=is_raw(form), expires_ms=expires)


class StoredKeys(Protocol):
    """See the module."""

    async def keys(self, object_id: ObjectId, wanted: KeyRange) -> list[StoredKey]:
        """Return the keys of a range that has a limit, in its order.

        Raises:
            StoreUnavailable: The database is away.
        """
        ...


def version_of(stored: bytes) -> str:
    """A short text that is another one for another value; equal values have the same."""
    return blake2b(stored, digest_size=_VERSION_BYTES).hexdigest()


def prefix_end(prefix: bytes) -> bytes:
    """The lowest key behind all with this prefix, for no byte of UTF-8 is the highest."""
    return prefix[:-1] + bytes((prefix[-1] + 1,))
