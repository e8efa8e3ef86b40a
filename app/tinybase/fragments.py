"""Messages in pieces (section 8): counting, joining and splitting.

The counting is apart from the joining because its limits are one socket's: in multiplexed mode
all channels share them, while each channel joins its own messages. A `FragmentLedger` holds
counts only; an `Assembler` holds the pieces of one connection and a ledger of its own.
"""

from dataclasses import dataclass, field
from typing import Final

from .refusals import OVERFLOW_FRAGMENTS, Malformed, Overflow
from .wire import (
    FRAGMENTS_PER_MESSAGE,
    Fragment,
    Message,
    parse_message,
    utf8_size,
)

OPEN_GROUPS: Final = 100
RETAINED_BYTES: Final = 16_777_216

_HEADER_ROUNDING_BYTES = 3
"""What the reference adds to a forced piece size: a piece can fall short by 3 bytes of UTF-8."""


@dataclass(slots=True)
class _Group:
    """The count of one message under way."""

    total: int
    expires_at: float
    indices: set[int] = field(default_factory=set)
    size: int = 0


class FragmentLedger:
    """Counts the open groups of one socket and their bytes against the limits.

    A group that is not complete `timeout_seconds` after its first fragment is forgotten.
    """

    __slots__ = ("_groups", "_retained", "_timeout")

    def __init__(self, *, timeout_seconds: float) -> None:
        self._timeout = timeout_seconds
        self._groups: dict[str, _Group] = {}
        self._retained = 0

    @property
    def groups(self) -> int:
        """How many messages are under way."""
        return len(self._groups)

    @property
    def retained_bytes(self) -> int:
        """What they count, in UTF-8: their remainders, and each group's key once."""
        return self._retained

    def add(self, fragment: Fragment, now: float, *, scope: str = "") -> bool:
        """Count a fragment; return whether its message is complete, and then forgotten here.

        `scope` tells apart the channels of a socket. `now` is in monotonic seconds.

        Raises:
            Malformed: The same index twice, or another total than before.
            Overflow: Too many groups or bytes.
        """
        self.expire(now)
        name = group_key(fragment)
        key = f"{scope}\n{name}"
        group = self._groups.get(key)
        size = utf8_size(fragment.remainder)
        if group is None:
            if len(self._groups) >= OPEN_GROUPS:
                raise Overflow(OVERFLOW_FRAGMENTS)
            group = _Group(total=fragment.total, expires_at=now + self._timeout)
            self._groups[key] = group
            size += utf8_size(name)
        elif group.total != fragment.total or fragment.index in group.indices:
            raise Malformed
        group.indices.add(fragment.index)
        group.size += size
        self._retained += size
        if self._retained > RETAINED_BYTES:
            raise Overflow(OVERFLOW_FRAGMENTS)
        complete = len(group.indices) == group.total
        if complete:
            self._drop(key)
        return complete

    def expire(self, now: float) -> list[str]:
        """Forget what took too long; return the keys of those groups (`scope LF key`)."""
        late: list[str] = []
        for key, group in self._groups.items():  # in the order they were begun
            if group.expires_at > now:
                break
            late.append(key)
        for key in late:
            self._drop(key)
        return late

    def next_deadline(self) -> float | None:
        """When `expire` next has something to do, or None."""
        for group in self._groups.values():
            return group.expires_at
        return None

    def drop_scope(self, scope: str) -> None:
        """Forget the groups of a channel that is gone."""
        prefix = f"{scope}\n"
        for key in [key for key in self._groups if key.startswith(prefix)]:
            self._drop(key)

    def _drop(self, key: str) -> None:
        self._retained -= self._groups.pop(key).size


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """A message that came in pieces.

    Attributes:
        message: The message, whose remainder is the joined text.
        originals: The remainders of its fragments in index order: what is relayed.
    """

    message: Message
    originals: tuple[str, ...]


class Assembler:
    """Joins the fragments of one connection."""

    __slots__ = ("_ledger", "_pieces")

    def __init__(self, *, timeout_seconds: float) -> None:
        self._ledger = FragmentLedger(timeout_seconds=timeout_seconds)
        self._pieces: dict[str, dict[int, Fragment]] = {}

    @property
    def retained_bytes(self) -> int:
        """How much is kept of the messages under way, in UTF-8."""
        return self._ledger.retained_bytes

    def add(self, fragment: Fragment, now: float) -> Assembled | None:
        """Take a fragment; return its message when it was the last one missing.

        Raises:
            Malformed: It contradicts the pieces before it, or the joined text is no message.
            Overflow: Too many open groups or retained bytes.
        """
        self.expire(now)
        key = group_key(fragment)
        complete = self._ledger.add(fragment, now)
        pieces = self._pieces.setdefault(key, {})
        pieces[fragment.index] = fragment
        if not complete:
            return None
        del self._pieces[key]
        ordered = [pieces[index] for index in range(fragment.total)]
        joined = "".join(each.piece for each in ordered)
        return Assembled(
            message=parse_message(fragment.address, joined),
            originals=tuple(each.remainder for each in ordered),
        )

    def expire(self, now: float) -> None:
        """Free the pieces of messages that took too long."""
        for late in self._ledger.expire(now):
            del self._pieces[late.removeprefix("\n")]

    def next_deadline(self) -> float | None:
        """When `expire` next has something to do, or None."""
        return self._ledger.next_deadline()


def group_key(fragment: Fragment) -> str:
    """What tells the messages of one connection apart."""
    return fragment.address + fragment.message_id


def split_remainder(remainder: str, piece_bytes: int | None, message_id: str) -> list[str]:
    """Return the remainders to send in place of `remainder`: itself, or its fragments.

    `piece_bytes` is the configured size of a piece without its header, None for no splitting.
    Pieces hold whole characters; there are never more than 1,000.
    """
    if piece_bytes is None or len(remainder) * 4 <= piece_bytes:
        return [remainder]
    whole = remainder.encode("utf-8", "surrogatepass")
    if len(whole) <= piece_bytes:
        return [remainder]
    least = -(-len(whole) // FRAGMENTS_PER_MESSAGE) + _HEADER_ROUNDING_BYTES
    pieces = list(_pieces(whole, max(piece_bytes, least)))
    if len(pieces) == 1:
        return [remainder]
    total = len(pieces)
    return [f"{message_id}\n{index}\n{total}\n{piece}" for index, piece in enumerate(pieces)]


def _pieces(whole: bytes, size: int) -> list[str]:
    """Cut UTF-8 at character starts into pieces of at most `size` bytes."""
    pieces = []
    start = 0
    while start < len(whole):
        end = min(start + size, len(whole))
        while end < len(whole) and whole[end] & 0xC0 == 0x80:  # noqa: PLR2004 - not a first byte
            end -= 1
        pieces.append(whole[start:end].decode("utf-8", "surrogatepass"))
        start = end
    return pieces
