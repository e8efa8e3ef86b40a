"""Committed rows of one object, remembered. Pure; bounded by bytes.

Only confirmed rows are here, so an instance that is thrown away leaves a good cache behind.
While the object is small the cache is `complete`: it holds every row there is, and even a list
needs no database.
"""

from collections import OrderedDict

from ..core.limits import CACHE_BYTES
from .buffer import UNKNOWN, Absence, Layer

_ABSENT_COST_BYTES = 16


class RowCache:
    """Least recently used rows go first.

    Args:
        limit_bytes: Keys and values added up; over it, rows are dropped.
    """

    __slots__ = ("_limit", "_rows", "_size", "complete", "generation")

    def __init__(self, limit_bytes: int = CACHE_BYTES) -> None:
        self._limit = limit_bytes
        self._rows: OrderedDict[bytes, bytes | None] = OrderedDict()
        self._size = 0
        self.complete = False
        """Whether a key that is not here does not exist."""
        self.generation = 0
        """Counts confirmed batches: a read that began under an older one must not be kept."""

    def fill(self, rows: list[tuple[bytes, bytes]], *, complete: bool) -> None:
        """Begin with the first page of the object's rows."""
        self.clear()
        if complete:
            self.complete = True  # until a row does not fit
            for key, value in rows:
                self._store(key, value)

    def clear(self) -> None:
        """Forget everything."""
        self._rows.clear()
        self._size = 0
        self.complete = False

    def lookup(self, key: bytes) -> bytes | Absence | None:
        """Return the value, None when the key is known not to exist, or UNKNOWN."""
        value = self._rows.get(key, UNKNOWN)
        if value is UNKNOWN:
            return None if self.complete else UNKNOWN
        if not self.complete:
            self._rows.move_to_end(key)
        return value

    def rows(self) -> dict[bytes, bytes]:
        """Every row there is; only good while `complete`."""
        return {key: value for key, value in self._rows.items() if value is not None}

    def remember(self, key: bytes, value: bytes | None, *, generation: int) -> None:
        """Keep what a read found, unless a batch was confirmed since the read began."""
        if generation == self.generation:
            self._store(key, value)

    def forget(self, key: bytes) -> None:
        """Do not keep this row."""
        self.complete = False
        if key in self._rows:
            self._size -= self._cost(key, self._rows.pop(key))

    def absorb(self, layer: Layer) -> None:
        """Take over a confirmed batch."""
        self.generation += 1
        if layer.wiped:
            self._rows.clear()
            self._size = 0
            self.complete = True
        uncached = layer.uncached
        for key, value in layer.entries.items():
            if value is None and self.complete:
                self._drop(key)
            elif uncached is not None and key in uncached:
                self.forget(key)
            else:
                self._store(key, value)

    def _drop(self, key: bytes) -> None:
        if key in self._rows:
            self._size -= self._cost(key, self._rows.pop(key))

    def _store(self, key: bytes, value: bytes | None) -> None:
        rows = self._rows
        if key in rows:
            self._size -= self._cost(key, rows.pop(key))
        rows[key] = value
        self._size += self._cost(key, value)
        if self._size > self._limit:
            self._shrink()

    def _shrink(self) -> None:
        while self._size > self._limit and self._rows:
            self.complete = False
            oldest, dropped = self._rows.popitem(last=False)
            self._size -= self._cost(oldest, dropped)

    @staticmethod
    def _cost(key: bytes, value: bytes | None) -> int:
        return len(key) + (_ABSENT_COST_BYTES if value is None else len(value))
