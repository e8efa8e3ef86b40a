"""Reading an object's rows as they are at the moment of the call.

Point reads ask the buffer, then the cache, then the database. Ranges merge committed pages with
the buffer as it was when the range was asked for. What is committed while the database answers
does not show: see `open_reads`.
"""

from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing, nullcontext

from ..core.ports import ObjectStore
from ..core.values import KeyRange
from .buffer import UNKNOWN, Absence
from .commits import CommitLane
from .scan import Overlay, Rows, committed_pages, merge_page


class RowReader:
    """See the module. Values are in stored form.

    Args:
        lane: Has the buffer, the cache and the open reads.
        store: Where committed rows are read.
    """

    def __init__(self, lane: CommitLane, store: ObjectStore) -> None:
        self._lane = lane
        self._store = store
        self._object_id = lane.claim.object_id

    def look(self, raw: bytes) -> bytes | Absence | None:
        """What buffer and cache say: a value, None when there is none, or UNKNOWN."""
        found = self._lane.buffer.lookup(raw)
        if isinstance(found, bytes):
            return found
        return self._lane.cache.lookup(raw) if found is UNKNOWN else None

    async def read(self, raws: Collection[bytes], *, keep: bool) -> dict[bytes, bytes]:
        """Ask the database for committed rows; with `keep` the cache remembers them."""
        lane = self._lane
        cache = lane.cache
        generation = cache.generation
        with lane.reads.of_keys(raws):
            found = await self._store.read(self._object_id, raws)
        if keep:
            for raw in raws:
                cache.remember(raw, found.get(raw), generation=generation)
        return found

    def pages(self, wanted: KeyRange, *, steady: bool) -> AsyncGenerator[Rows, None]:
        """Pages of a range, the buffer as of now laid over the committed rows.

        Args:
            wanted: Which rows; a limit may be overshot.
            steady: Whether nothing that is written from now on may show. Only for one who reads
                to the end without waiting for anything else, for commits wait for it.
        """
        wiped, overlay = self._lane.buffer.overlay()
        cache = self._lane.cache
        if wiped or cache.complete:
            rows = {} if wiped else cache.rows()
            return _only(merge_page(list(rows.items()), overlay, wanted))
        return self._committed(wanted, overlay, steady=steady)

    async def _committed(
        self, wanted: KeyRange, overlay: Overlay, *, steady: bool
    ) -> AsyncGenerator[Rows, None]:
        pages = committed_pages(self._store, self._object_id, wanted, overlay)
        reads = self._lane.reads
        with reads.of_range(wanted, overlay) if steady else nullcontext():
            async with aclosing(pages):
                async for page, overlaid in pages:
                    yield merge_page(page, overlaid, wanted)


async def _only(rows: Rows) -> AsyncGenerator[Rows, None]:
    yield rows
