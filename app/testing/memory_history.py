"""The twin of the history of objects; see `core.history` and `app.store.history`."""

from collections.abc import Collection

from ..core.errors import BookmarkExpired, BookmarkUnknown
from ..core.history import (
    HISTORY_ROW_BYTES,
    NO_HISTORY,
    DifferencePage,
    HistoryEntry,
    HistoryRule,
    HistoryStand,
    RowDifference,
)
from ..core.ids import CommitSeq, ObjectId
from ..core.limits import PAGE_BYTES, PAGE_ROWS
from ..core.values import KeyRange, Page, WriteBatch
from .memory_database import MemoryDatabase, MemoryObject, MemoryPast, page_of

Rows = dict[bytes, bytes]


def replaced(found: MemoryObject, batch: WriteBatch) -> dict[bytes, bytes | None]:
    """What a batch is about to replace: key to the value that is there, None for none."""
    rows = found.rows
    if batch.restore is not None:
        past = state_after(found, batch.restore)
        keys = {key for key in rows.keys() | past.keys() if rows.get(key) != past.get(key)}
        return {key: rows.get(key) for key in keys}
    old: dict[bytes, bytes | None] = dict(rows) if batch.wipe else {}
    for key, value in batch.entries.items():
        if value is not None or key in rows:
            old[key] = rows.get(key)
    return old


def keep(found: MemoryObject, old: dict[bytes, bytes | None], rule: HistoryRule, now: int) -> None:
    """Note what the commit that is being made replaces."""
    past = found.past
    if not rule.keeps(found.object_id.namespace):
        return
    if past.seq != found.commit_seq:  # something was committed without history
        past.oldest, past.since_ms = found.commit_seq, found.committed_ms
    past.seq = CommitSeq(found.commit_seq + 1)
    if old:
        past.commits[past.seq] = (now, old)


def state_after(found: MemoryObject, commit_seq: CommitSeq) -> Rows:
    """The rows as they were after a commit."""
    rows = dict(found.rows)
    for number in sorted(found.past.commits, reverse=True):
        if number <= commit_seq:
            break
        for key, value in found.past.commits[number][1].items():
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
    return rows


def oldest_of(found: MemoryObject) -> CommitSeq:
    """The earliest commit whose state can be told."""
    past: MemoryPast = found.past
    return past.oldest if past.seq == found.commit_seq else found.commit_seq


class MemoryObjectHistory:
    """Twin of `app.store.history.PostgresObjectHistory`; see `core.history.ObjectHistory`."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def stand(self, object_id: ObjectId) -> HistoryStand | None:
        """See `ObjectHistory.stand`."""
        self._database.check()
        found = self._database.objects.get(object_id.uuid)
        if found is None:
            return None
        committed = found.created_ms if found.committed_ms is None else found.committed_ms
        told = found.past.seq == found.commit_seq
        since = found.created_ms if found.past.since_ms is None else found.past.since_ms
        return HistoryStand(
            object_id=object_id,
            commit_seq=found.commit_seq,
            committed_ms=committed,
            created_ms=found.created_ms,
            oldest=oldest_of(found),
            oldest_ms=since if told else committed,
        )

    async def entries(
        self, object_id: ObjectId, *, before: CommitSeq | None = None, limit: int
    ) -> list[HistoryEntry]:
        """See `ObjectHistory.entries`."""
        self._database.check()
        found = self._database.objects.get(object_id.uuid)
        commits = found.past.commits if found else {}
        numbers = [n for n in sorted(commits, reverse=True) if before is None or n < before]
        return [
            HistoryEntry(
                commit_seq=number,
                made_ms=commits[number][0],
                keys=len(commits[number][1]),
                size_bytes=sum(len(k) + len(v or b"") for k, v in commits[number][1].items()),
            )
            for number in numbers[:limit]
        ]

    async def made_ms(self, stand: HistoryStand, commit_seq: CommitSeq) -> int:
        """See `ObjectHistory.made_ms`."""
        stand.check(commit_seq)
        if commit_seq == stand.commit_seq:
            return stand.committed_ms
        for entry in await self.entries(stand.object_id, before=CommitSeq(commit_seq + 1), limit=1):
            return max(stand.oldest_ms, entry.made_ms)
        return stand.oldest_ms

    async def commit_at(self, stand: HistoryStand, at_ms: int) -> CommitSeq:
        """See `ObjectHistory.commit_at`."""
        if at_ms >= stand.committed_ms:
            return stand.commit_seq
        if at_ms < stand.oldest_ms:
            raise BookmarkExpired
        for entry in await self.entries(stand.object_id, limit=1 << 31):
            if entry.made_ms <= at_ms and entry.commit_seq > stand.oldest:
                return entry.commit_seq
        return stand.oldest

    async def scan(self, object_id: ObjectId, commit_seq: CommitSeq, wanted: KeyRange) -> Page:
        """See `ObjectHistory.scan`."""
        rows = self._state(object_id, commit_seq, commit_seq)[0]
        return page_of(rows, wanted, PAGE_ROWS, PAGE_BYTES)

    async def read(
        self, object_id: ObjectId, commit_seq: CommitSeq, keys: Collection[bytes]
    ) -> Rows:
        """See `ObjectHistory.read`."""
        rows = self._state(object_id, commit_seq, commit_seq)[0]
        return {key: rows[key] for key in keys if key in rows}

    async def differences(
        self,
        object_id: ObjectId,
        first: CommitSeq,
        second: CommitSeq,
        *,
        start: bytes | None = None,
        limit: int,
    ) -> DifferencePage:
        """See `ObjectHistory.differences`."""
        before, after = self._state(object_id, first, second)
        rows: list[RowDifference] = []
        size = 0
        for key in sorted(before.keys() | after.keys()):
            if key < (start or b"") or before.get(key) == after.get(key):
                continue
            row = RowDifference(key=key, before=before.get(key), after=after.get(key))
            size += len(key) + len(row.before or b"") + len(row.after or b"")
            if len(rows) == limit or (rows and size > PAGE_BYTES):
                return DifferencePage(rows=rows, more=True)
            rows.append(row)
        return DifferencePage(rows=rows, more=False)

    def _state(self, object_id: ObjectId, *numbers: CommitSeq) -> list[Rows]:
        self._database.check()
        found = self._database.objects.get(object_id.uuid)
        if found is None or max(numbers) > found.commit_seq:
            raise BookmarkUnknown
        if min(numbers) < oldest_of(found):
            raise BookmarkExpired
        return [state_after(found, number) for number in numbers]


class MemoryHistoryPruner:
    """Twin of `app.store.history_pruning.HistoryPruner`: prunes everything at once.

    Args:
        database: Whose history.
        rule: How much is kept.
    """

    def __init__(self, database: MemoryDatabase, rule: HistoryRule = NO_HISTORY) -> None:
        self._database = database
        self._rule = rule

    async def prune(self) -> None:
        """Remove what is kept too long or is too much."""
        self._database.check()
        cutoff = self._database.now_ms() - int(self._rule.seconds * 1000)
        for found in list(self._database.objects.values()):
            self._prune(found, cutoff)
            past = found.past
            bare = not found.rows and not found.alarms and not past.commits
            if bare and found.worker_id is None and found.frozen_ms is None:
                del self._database.objects[found.object_id.uuid]

    def _prune(self, found: MemoryObject, cutoff: int) -> None:
        past = found.past
        later = 0
        doomed: list[CommitSeq] = []
        for number in sorted(past.commits, reverse=True):
            made, values = past.commits[number]
            too_much = later > 0 and later >= self._rule.size_bytes
            if doomed or made < cutoff or too_much or number <= oldest_of(found):
                doomed.append(number)
            later += sum(HISTORY_ROW_BYTES + len(k) + len(v or b"") for k, v in values.items())
        if not doomed:
            return
        if doomed[0] > past.oldest:
            past.oldest, past.since_ms = doomed[0], past.commits[doomed[0]][0]
        for number in doomed:
            del past.commits[number]
