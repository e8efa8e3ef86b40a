"""Reading an object's rows as they are at the moment of the call.

Point reads ask the buffer, then the cache, then the database. Ranges merge committed pages with
the buffer as it was when the range was asked for. What is committed while the database answers
does not show: see `open_reads`. What has expired is not there: see `expiry`. While the database
is asked, the room's gate is held, unless the reader wants it otherwise.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import AbstractContextManager, aclosing, nullcontext
from typing import TypeVar

from ..core.clock import DatabaseClock
from ..core.ports import ObjectStore
from ..core.storage_codec import EXPIRING, expired
from ..core.values import KeyRange
from .buffer import DELETED, UNKNOWN, Absence
from .commits import CommitLane
from .input_gate import InputGate
from .scan import Overlay, Rows, committed_pages, merge_page
from .standing import ask, begin, holding

PageT = TypeVar("PageT")


class RowReader:
    """See the module. Values are in stored form.

    Args:
        lane: Has the buffer, the cache and the open reads.
        store: Where committed rows are read.
        database_clock: The time that rows expire by.
        gate: The room's gate.
    """

    __slots__ = ("_database_clock", "_gate", "_lane", "_object_id", "_store")

    def __init__(
        self,
        lane: CommitLane,
        store: ObjectStore,
        database_clock: DatabaseClock,
        gate: InputGate,
    ) -> None:
        self._lane = lane
        self._store = store
        self._database_clock = database_clock
        self._gate = gate
        self._object_id = lane.claim.object_id

    def look(self, raw: bytes) -> bytes | Absence | None:
        """What buffer and cache say: a value, None when there is none, or UNKNOWN."""
        found: bytes | Absence | None = self._lane.buffer.lookup(raw)
        if found is UNKNOWN:
            found = self._lane.cache.lookup(raw)
        elif found is DELETED:
            return None
        if type(found) is bytes and found[0] == EXPIRING:
            return None if expired(found, self._database_clock.now_ms()) else found
        return found

    async def read(
        self, raws: Collection[bytes], *, keep: bool, hold: bool = True
    ) -> dict[bytes, bytes]:
        """Ask the database for committed rows; with `keep` the cache remembers them."""
        lane = self._lane
        cache = lane.cache
        generation = cache.generation
        with lane.reads.of_keys(raws), self._held(hold=hold):
            found = self._live(await self._store.read(self._object_id, raws))
        if keep:
            for raw in raws:
                cache.remember(raw, found.get(raw), generation=generation)
        return found

    def ask(self) -> bool:
        """See `standing.ask`; also what is known is not told before it is awaited."""
        return ask(self._gate)

    def begin(self) -> None:
        """See `standing.begin`."""
        begin(self._gate)

    def _live(self, found: dict[bytes, bytes]) -> dict[bytes, bytes]:
        now_ms = self._database_clock.now_ms()
        return {
            key: value
            for key, value in found.items()
            if value[0] != EXPIRING or not expired(value, now_ms)
        }

    def pages(
        self, wanted: KeyRange, *, steady: bool, hold: bool = True
    ) -> AsyncGenerator[Rows, None]:
        """Pages of a range, the buffer as of now laid over the committed rows.

        Args:
            wanted: Which rows; a limit may be overshot.
            steady: Whether nothing that is written from now on may show. Only for one who reads
                to the end without waiting for anything else, for commits wait for it.
            hold: Whether the gate is held while a page is asked for.
        """
        wiped, overlay = self._lane.buffer.overlay()
        cache = self._lane.cache
        now_ms = self._database_clock.now_ms()
        live: Overlay = {
            key: None if value and value[0] == EXPIRING and expired(value, now_ms) else value
            for key, value in overlay.items()
        }
        if wiped or cache.complete:
            rows = {} if wiped else self._live(cache.rows())
            return _only(merge_page(list(rows.items()), live, wanted))
        return self._committed(wanted, live, now_ms, steady=steady, hold=hold)

    async def _committed(
        self, wanted: KeyRange, overlay: Overlay, now_ms: int, *, steady: bool, hold: bool
    ) -> AsyncGenerator[Rows, None]:
        pages = committed_pages(self._store, self._object_id, wanted, overlay, now_ms=now_ms)
        reads = self._lane.reads
        with reads.of_range(wanted, overlay) if steady else nullcontext():
            async with aclosing(pages):
                async for page, overlaid in self._paged(pages, hold=hold):
                    yield merge_page(page, overlaid, wanted)

    async def _paged(
        self, pages: AsyncIterator[PageT], *, hold: bool
    ) -> AsyncGenerator[PageT, None]:
        """The same pages; the gate is held while one is waited for, and not between."""
        while True:
            with self._held(hold=hold):
                page = await anext(pages, None)
            if page is None:
                return
            yield page

    def _held(self, *, hold: bool) -> AbstractContextManager[None]:
        return holding(self._gate) if hold else nullcontext()


async def _only(rows: Rows) -> AsyncGenerator[Rows, None]:
    yield rows
