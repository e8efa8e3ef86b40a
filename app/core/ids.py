"""Object ids: what names an object, everywhere and for ever.

An id is derived from `(namespace, name)` with a keyed hash, so no directory is asked to find it.
Its public form is 64 lower-case hex digits: 16 bytes that identify the object and 16 bytes that
prove the first half was made by this namespace with this cluster's key (reference:
durable-objects, section 1). The key is created once by the first migration and never rotated.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NewType
from uuid import UUID

from .errors import IdInvalid
from .limits import LONGEST_NAME_BYTES, NAME_BYTES

Epoch = NewType("Epoch", int)
"""The fencing token of one ownership of one object; never used twice in a cluster."""

CommitSeq = NewType("CommitSeq", int)
"""How many commits an object has had."""

WorkerId = NewType("WorkerId", UUID)
"""One life of one worker process; a new one after every lost lease."""

_HALF_BYTES = 16
_HEX_DIGITS = 64


@dataclass(frozen=True, slots=True)
class ObjectId:
    """The identity of one object.

    Attributes:
        namespace: The mounted class that the object belongs to.
        uuid: The 16 identifying bytes, the primary key in Postgres.
        check: The 16 proving bytes.
        name: The name it was reached by, or None for unique ids and ids given as text.
            It takes no part in equality.
    """

    namespace: str
    uuid: UUID
    check: bytes = field(repr=False)
    name: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.uuid.hex + self.check.hex()

    def __hash__(self) -> int:
        return hash(self.uuid)

    def equals(self, other: "ObjectId") -> bool:
        """Whether both are ids of the same object; the same as `==`."""
        return self == other


class ObjectIds:
    """Makes and checks the ids of one cluster; pure, no look-ups.

    Args:
        cluster_key: The cluster's secret, at least 16 bytes.
        uuid_type: The UUID class to build. The store passes its driver's own, which spares a
            conversion for every commit.
    """

    def __init__(
        self, cluster_key: bytes, *, uuid_type: Callable[[bytes], UUID] | None = None
    ) -> None:
        self._cluster_key = cluster_key
        self._uuid_type = uuid_type or (lambda raw: UUID(bytes=raw))
        self._namespace_keys: dict[str, bytes] = {}

    def from_name(self, namespace: str, name: str) -> ObjectId:
        """Return the id of the object called `name`; the same one every time, anywhere.

        Raises:
            IdInvalid: The name is over 2,049 bytes of UTF-8, or holds NUL or a lone surrogate.

        A name over 1,024 bytes leads to its object all the same, but is not kept: `name` is None
        (conformance list, 12). The channel of a multiplexed socket can make one that long.
        """
        try:
            raw = name.encode()
        except UnicodeEncodeError:
            raise IdInvalid("the name is not valid Unicode") from None
        if len(raw) > LONGEST_NAME_BYTES:
            raise IdInvalid(f"the name has {len(raw)} bytes, the limit is {LONGEST_NAME_BYTES}")
        if b"\0" in raw:
            raise IdInvalid("the name holds a NUL character")
        kept = name if len(raw) <= NAME_BYTES else None
        return self._finish(namespace, self._mac(namespace, b"name:" + raw), kept)

    def unique(self, namespace: str) -> ObjectId:
        """Return a new random id, which no name leads to."""
        return self._finish(namespace, secrets.token_bytes(_HALF_BYTES), None)

    def from_string(self, namespace: str, text: str) -> ObjectId:
        """Return the id that `text` prints; its name is not known.

        Raises:
            IdInvalid: `text` is not 64 hex digits, or was made for another namespace or cluster.
        """
        if len(text) != _HEX_DIGITS:
            raise IdInvalid("an object id must be 64 hex digits")
        try:
            raw = bytes.fromhex(text)
        except ValueError:
            raise IdInvalid("an object id must be 64 hex digits") from None
        if len(raw) != 2 * _HALF_BYTES:
            raise IdInvalid("an object id must be 64 hex digits")
        made = self._finish(namespace, raw[:_HALF_BYTES], None)
        if not hmac.compare_digest(made.check, raw[_HALF_BYTES:]):
            raise IdInvalid("this object id is not valid for this namespace")
        return made

    def from_row(self, namespace: str, uuid: UUID, name: str | None) -> ObjectId:
        """Return the id that the store's row of an object stands for; nothing is checked."""
        return self._finish(namespace, uuid.bytes, name)

    @property
    def fingerprint(self) -> str:
        """Tells this cluster from others, and nothing of its key: 32 hex digits."""
        return hmac.digest(self._cluster_key, b"fingerprint", hashlib.sha256)[:_HALF_BYTES].hex()

    def _finish(self, namespace: str, half: bytes, name: str | None) -> ObjectId:
        check = self._mac(namespace, b"check:" + half)
        return ObjectId(namespace=namespace, uuid=self._uuid_type(half), check=check, name=name)

    def _mac(self, namespace: str, message: bytes) -> bytes:
        key = self._namespace_keys.get(namespace)
        if key is None:
            key = hmac.digest(self._cluster_key, b"namespace:" + namespace.encode(), hashlib.sha256)
            self._namespace_keys[namespace] = key
        return hmac.digest(key, message, hashlib.sha256)[:_HALF_BYTES]


class TimeOrderedIds:
    """Makes random ids (RFC 9562, version 7) that ascend: by time, and within one maker always."""

    def __init__(self) -> None:
        self._last = 0

    def next(self, now_ms: int) -> UUID:
        """Return a new id; `now_ms` is the time since 1970."""
        chance = int.from_bytes(secrets.token_bytes(10))
        high, low = chance >> 68, chance & ((1 << 62) - 1)
        made = (now_ms & ((1 << 48) - 1)) << 80 | 7 << 76 | high << 64 | 2 << 62 | low
        self._last = max(made, self._last + 1)
        return UUID(int=self._last)
