"""The sdk's `Past` over the history of one object; see there for the contract."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import Any

from ..core.clock import DatabaseClock
from ..core.history import HistoryStand, ObjectHistory
from ..core.ids import CommitSeq
from ..core.instants import instant_of_ms
from ..core.storage_codec import EXPIRING, decode_value, expired
from ..core.values import KeyRange
from .entries import stored_key
from .scan import Rows, key_range


class RoomPast:
    """See the module.

    Args:
        history: Where it is read.
        stand: How the object stands.
        commit_seq: The commit after which it was so.
        made_ms: When that was, milliseconds since 1970.
        database_clock: The time that rows expire by.
    """

    def __init__(
        self,
        history: ObjectHistory,
        stand: HistoryStand,
        commit_seq: CommitSeq,
        made_ms: int,
        database_clock: DatabaseClock,
    ) -> None:
        self.commit_seq = commit_seq
        self._history = history
        self._stand = stand
        self._made_ms = made_ms
        self._database_clock = database_clock

    @property
    def bookmark(self) -> str:
        """See `sdk.Past.bookmark`."""
        return self._stand.bookmark(self.commit_seq)

    @property
    def made_at(self) -> datetime:
        """See `sdk.Past.made_at`."""
        return instant_of_ms(self._made_ms)

    async def get(self, key: str, default: Any = None) -> Any:
        """See `sdk.Past.get`."""
        raw = stored_key(key)
        found = await self._history.read(self._stand.object_id, self.commit_seq, [raw])
        rows = self._live(list(found.items()))
        return decode_value(rows[0][1]) if rows else default

    async def list(
        self,
        *,
        prefix: str | None = None,
        start: str | None = None,
        start_after: str | None = None,
        end: str | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> dict[str, Any]:
        """See `sdk.Past.list`."""
        wanted = key_range(prefix, start, start_after, end, reverse=reverse, limit=None)
        found: dict[str, Any] = {}
        if wanted is None or limit == 0:
            return found
        if limit is not None and limit < 1:
            raise TypeError("limit must be at least 1")
        async with aclosing(self._pages(wanted, limit)) as pages:
            async for rows in pages:
                for key, value in rows:
                    found[key.decode()] = decode_value(value)
                    if len(found) == limit:
                        return found
        return found

    async def stream(self, *, prefix: str | None = None) -> AsyncIterator[tuple[str, Any]]:
        """See `sdk.Past.stream`."""
        wanted = key_range(prefix, None, None, None, reverse=False, limit=None)
        if wanted is None:
            return
        async with aclosing(self._pages(wanted, None)) as pages:
            async for rows in pages:
                for key, value in rows:
                    yield key.decode(), decode_value(value)

    async def _pages(self, wanted: KeyRange, limit: int | None) -> AsyncGenerator[Rows, None]:
        """Pages of a range; `limit` only says how many rows are worth asking for at a time."""
        while True:
            asked = replace(wanted, limit=limit)
            page = await self._history.scan(self._stand.object_id, self.commit_seq, asked)
            yield self._live(page.rows)
            cut = limit is not None and len(page.rows) == limit
            if not page.rows or not (page.more or cut):
                return
            edge = page.rows[-1][0]
            wanted = (
                replace(wanted, end=edge) if wanted.reverse else replace(wanted, start=edge + b"\0")
            )

    def _live(self, rows: Rows) -> Rows:
        now_ms = self._database_clock.now_ms()
        return [row for row in rows if row[1][0] != EXPIRING or not expired(row[1], now_ms)]
