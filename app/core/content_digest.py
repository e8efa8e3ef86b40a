"""The digest of what an object stores: equal for equal rows, wherever they are.

SHA-256 of the digests of the rows in the order of their keys; the digest of a row is SHA-256 of
its key's length (four bytes, the highest first), its key and its value. So it can be made while
rows stream by, and by Postgres itself over rows that never travel (`store.backup`). Alarms take
no part: they go off by themselves.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

_LENGTH_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What an object stores, in short.

    Attributes:
        rows: How many.
        size_bytes: Keys and values added up.
        sha256: See the module, as 64 hex digits.
    """

    rows: int
    size_bytes: int
    sha256: str


class ContentDigest:
    """Makes the digest of rows that are added in the order of their keys."""

    __slots__ = ("_sum", "rows", "size_bytes")

    def __init__(self) -> None:
        self._sum = hashlib.sha256()
        self.rows = 0
        self.size_bytes = 0

    def add(self, key: bytes, value: bytes) -> None:
        """Add the next row."""
        row = len(key).to_bytes(_LENGTH_BYTES, "big") + key + value
        self._sum.update(hashlib.sha256(row).digest())
        self.rows += 1
        self.size_bytes += len(key) + len(value)

    def digest(self) -> Digest:
        """The digest of the rows added so far."""
        return Digest(rows=self.rows, size_bytes=self.size_bytes, sha256=self._sum.hexdigest())
