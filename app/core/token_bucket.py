"""How often each of many may do something: token buckets in a table of bounded size. Pure.

A bucket holds `burst` tokens and gets `rate` more a second; whoever finds none waits. Of a bucket
only the instant is kept at which it will be full again (the generic cell rate algorithm), as an
integer of nanoseconds, so a bucket that is full need not be kept at all.

The table is two generations; a bucket moves to the younger one with each token that is taken.
Once in the time that an empty bucket takes to fill up, the older one is dropped: whoever is in
there took nothing for that long, so nothing is forgotten that still counted. **Nobody's bucket
is evicted for another's**: when the table is full, keys that are not in it share a fixed number
of buckets, found by Python's keyed hash. So with any number of made-up keys the memory has a
bound, those who were there keep their own buckets, and newcomers share until the flood is over.
"""

from typing import Final

SECOND_NS: Final = 1_000_000_000
MOST_KEYS: Final = 65_536
"""With buckets of their own, of one limit: some 10 MiB at most."""
SHARED: Final = 4_096


class TokenBuckets:
    """See the module.

    Args:
        rate: Tokens that a bucket gets in a second; at least 1.
        burst: Tokens of a full one; at least 1.
        most_keys: How many keys have a bucket of their own.
        shared: How many buckets the others share.
    """

    __slots__ = ("_a_token", "_most_keys", "_older", "_older_until", "_shared", "_span", "_younger")

    def __init__(
        self, *, rate: int, burst: int, most_keys: int = MOST_KEYS, shared: int = SHARED
    ) -> None:
        self._a_token = SECOND_NS // rate
        self._span = self._a_token * burst
        self._most_keys = most_keys
        self._younger: dict[str, int] = {}
        self._older: dict[str, int] = {}
        self._older_until: int | None = None
        self._shared = [0] * shared

    def __len__(self) -> int:
        """How many keys have a bucket of their own."""
        return len(self._younger) + len(self._older)

    def take(self, key: str, now_ns: int) -> int:
        """Take a token: 0, or for how many nanoseconds there will be none.

        Args:
            key: Whose bucket.
            now_ns: A clock that never goes back.
        """
        self._age(now_ns)
        full_at = self._younger.get(key) or self._older.get(key)
        if full_at is None and len(self) >= self._most_keys:
            return self._take_shared(hash(key) % len(self._shared), now_ns)
        full_at = max(full_at or 0, now_ns) + self._a_token
        wait = full_at - self._span - now_ns
        if wait > 0:
            return wait
        self._older.pop(key, None)
        self._younger[key] = full_at
        return 0

    def _take_shared(self, slot: int, now_ns: int) -> int:
        full_at = max(self._shared[slot], now_ns) + self._a_token
        wait = full_at - self._span - now_ns
        if wait > 0:
            return wait
        self._shared[slot] = full_at
        return 0

    def _age(self, now_ns: int) -> None:
        """Drop the older generation when every bucket of it is full again."""
        if self._older_until is None:
            self._older_until = now_ns + self._span
        elif now_ns >= self._older_until:
            self._older = self._younger
            self._younger = {}
            self._older_until = now_ns + self._span
