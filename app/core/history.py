"""What objects were: each commit keeps what it replaces, for a while.

A commit that keeps history writes, for every key that it changes, the value that was there before
(or that there was none), in the same statement. So the state after commit `n` is what is there
now, overlaid with the oldest value that any later commit replaced, key by key; pruning is
deleting the oldest.

**A state is reached or it is not; it is never guessed.** `HistoryStand.oldest` is the earliest
commit whose state can be told: it moves when history is pruned, and to the present when an object
has been changed without history (it was off for a while, or a release that knows none wrote).

**Bookmarks** are for people. They name a commit of one object, are of fixed width and in the
order of the commits when compared as texts; the second half is a check, so that one of another
object, or of an object that had the name before, is found out.
(docs/decisions/0027)
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Protocol

from .errors import BookmarkExpired, BookmarkUnknown
from .ids import CommitSeq, ObjectId
from .values import KeyRange, Page

HISTORY_ROW_BYTES: Final = 100
"""What one kept value weighs beside its key and itself, about what it takes on disk."""
_BOOKMARK: Final = re.compile(r"([0-9a-f]{16})-([0-9a-f]{8})")


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRule:
    """Which objects keep history, and how much of it.

    Attributes:
        seconds: How long what a commit replaced is kept; 0: nothing is.
        size_bytes: The most that is kept of one object; the oldest goes first. The last commit
            is kept whole, however large.
        without: Namespaces that keep none.
    """

    seconds: float
    size_bytes: int
    without: frozenset[str] = frozenset()

    def keeps(self, namespace: str) -> bool:
        """Whether objects of a namespace keep history."""
        return self.seconds > 0 and namespace not in self.without


NO_HISTORY: Final = HistoryRule(seconds=0, size_bytes=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryStand:
    """How far the past of an object can be told. Times are milliseconds since 1970.

    Attributes:
        object_id: Whose past.
        commit_seq: The number of its last commit.
        committed_ms: When that was; when the object was made, if there was none.
        created_ms: When the object was made.
        oldest: The earliest commit number whose state can be told.
        oldest_ms: When that commit was made.
    """

    object_id: ObjectId
    commit_seq: CommitSeq
    committed_ms: int
    created_ms: int
    oldest: CommitSeq
    oldest_ms: int

    def check(self, commit_seq: CommitSeq) -> None:
        """See that the state after a commit can be told.

        Raises:
            BookmarkUnknown: There was no such commit yet.
            BookmarkExpired: It is too long ago.
        """
        if commit_seq > self.commit_seq:
            raise BookmarkUnknown
        if commit_seq < self.oldest:
            raise BookmarkExpired

    def bookmark(self, commit_seq: CommitSeq) -> str:
        """The bookmark of the state after a commit."""
        return f"{commit_seq:016x}-{self._check_value()}"

    def commit_of(self, bookmark: str) -> CommitSeq:
        """The commit after which the object was in the state of a bookmark.

        Raises:
            BookmarkUnknown: It is none of this object.
            BookmarkExpired: The state can be told no longer.
        """
        found = _BOOKMARK.fullmatch(bookmark)
        if found is None or found[2] != self._check_value():
            raise BookmarkUnknown
        commit_seq = CommitSeq(int(found[1], 16))
        self.check(commit_seq)
        return commit_seq

    def _check_value(self) -> str:
        life = self.created_ms.to_bytes(8, "big", signed=True)
        return blake2b(self.object_id.uuid.bytes + life, digest_size=4).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One commit that changed rows.

    Attributes:
        commit_seq: Its number.
        made_ms: When it was made, milliseconds since 1970, by the database's clock.
        keys: How many keys it changed.
        size_bytes: What is kept for it: keys and replaced values.
    """

    commit_seq: CommitSeq
    made_ms: int
    keys: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDifference:
    """A row that is not the same in two states; None stands for no such row.

    Attributes:
        key: Which row.
        before: Its value in the first state, in stored form.
        after: Its value in the second.
    """

    key: bytes
    before: bytes | None
    after: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferencePage:
    """Differences in the order of their keys.

    Attributes:
        rows: The differences.
        more: Whether some were left out because a bound of the page was reached.
    """

    rows: list[RowDifference]
    more: bool


class ObjectHistory(Protocol):
    """The states that objects were in. Reading wakes nothing and waits for no commit.

    Every call raises StoreUnavailable when the database is away. Those that are given a commit
    number raise BookmarkUnknown or BookmarkExpired when its state cannot be told; that may happen
    in the middle of reading page by page, when the oldest are pruned meanwhile.
    """

    async def stand(self, object_id: ObjectId) -> HistoryStand | None:
        """Return how far the past can be told; None when there is no such object."""
        ...

    async def entries(
        self, object_id: ObjectId, *, before: CommitSeq | None = None, limit: int
    ) -> list[HistoryEntry]:
        """Return the commits of which something is kept, the latest first.

        Args:
            object_id: Whose commits.
            before: Only those with a lower number.
            limit: How many at most.
        """
        ...

    async def made_ms(self, stand: HistoryStand, commit_seq: CommitSeq) -> int:
        """Return when the state after a commit came about, milliseconds since 1970."""
        ...

    async def commit_at(self, stand: HistoryStand, at_ms: int) -> CommitSeq:
        """Return the number of the last commit made at that time or before."""
        ...

    async def scan(self, object_id: ObjectId, commit_seq: CommitSeq, wanted: KeyRange) -> Page:
        """Return one page of the rows as they were; page on from the last key while `more`."""
        ...

    async def read(
        self, object_id: ObjectId, commit_seq: CommitSeq, keys: Collection[bytes]
    ) -> Mapping[bytes, bytes]:
        """Return the values that those `keys` had which existed."""
        ...

    async def differences(
        self,
        object_id: ObjectId,
        first: CommitSeq,
        second: CommitSeq,
        *,
        start: bytes | None = None,
        limit: int,
    ) -> DifferencePage:
        """Return the rows that are not the same after the second commit as after the first.

        Args:
            object_id: Whose rows.
            first: A commit number.
            second: Another; it may be the earlier one.
            start: The lowest key wanted.
            limit: How many at most.
        """
        ...
