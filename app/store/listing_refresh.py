"""Lists follow the objects in the background: owners, times of commits, sizes, totals.

A commit touches one row of `object` and no index; what lists are searched by stands in
`object_listing` and is written here, after the fact:

* What this worker claims, commits and releases is **noted** in memory (`changed_objects`) and
  written about a second later, many objects in one statement.
* **Work is bounded**: so many objects a step, pauses of ten times what a step took, and an object
  rests after it was written: `REST_SECONDS`, and for its size `REST_OF_A_ROW_SECONDS` a row, so a
  large object that commits all the time is measured seldom. What was put off is done when it is
  due, so the last size of an object is always measured.
* **What a crash made us forget is found again**: all objects are compared with the lists, a small
  part at a time, in the order in which the tables lie on disk; all workers together go at the
  pace of one. So are lists that were never made, after an upgrade.

`namespace_total` is changed by the same statement as the lists, so it is always their sum. The
statement compares versions (epoch, commit number), not clocks: an older view of an object never
overwrites a newer one, whichever worker had it.
"""

import asyncio
import heapq
from collections.abc import Iterable
from contextlib import suppress
from typing import Final
from uuid import UUID

import structlog

from ..core.clock import Clock, SystemClock
from ..core.errors import StateroomError
from ..core.workshop import breathe
from .database import Database
from .listing_measure import SMALL_ROWS, Measured, measure_large, measure_small
from .listing_rests import Rest, Rests
from .listing_statements import MISSED, REFRESH, STRAY

_log = structlog.get_logger(__name__)

STEP_OBJECTS: Final = 500
STEP_SECONDS: Final = 1.0
"""Between two steps, if the first took less than a tenth of that."""
STEP_BLOCKS: Final = 128
"""How much of a table is compared at once: 1 MiB, some thousands of objects."""
MISSED_SECONDS: Final = 5.0
"""Between two comparisons, times the number of workers, when the last found nothing."""
PASS_SECONDS: Final = 600.0
"""Between the end of the tables and the next beginning."""
REST_SECONDS: Final = 2.0
REST_OF_A_ROW_SECONDS: Final = 0.01
LONGEST_REST_SECONDS: Final = 3_600.0
NOTES: Final = 100_000
"""More are forgotten, and found again by comparing."""
_PARTS: Final = 16
_AFTER_ERROR_SECONDS: Final = 5.0
_AT_A_BREATH: Final = 1_000


class ListingRefresher:
    """See the module. Cancelling any call is safe.

    Args:
        database: An open database.
        part: Any number; workers with different ones do not wait for one another.
        clock: For pauses and rests.
    """

    def __init__(
        self,
        database: Database,
        *,
        part: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._changed = database.changed
        self._part = part % _PARTS
        self._clock = clock or SystemClock()
        self._due: list[tuple[float, int, UUID]] = []
        self._waiting: dict[UUID, float] = {}
        self._serial = 0
        self._rests = Rests()
        self._large: dict[UUID, Measured] = {}
        self._block = 0
        self._strays = False
        self._compare_at = 0.0

    @property
    def waiting(self) -> int:
        """How many objects are noted and not written yet."""
        return len(self._waiting)

    async def run(self) -> None:
        """Write what is noted, for ever; an absence of the database is waited out."""
        while True:
            before = self._clock.monotonic()
            try:
                await self.step()
            except StateroomError as error:
                _log.warning("listing_failed", code=error.code)
                await self._clock.sleep(_AFTER_ERROR_SECONDS)
            took = self._clock.monotonic() - before
            await self._clock.sleep(max(STEP_SECONDS, took * 10))

    async def run_beside(self) -> None:
        """Measure what is large and look for what was missed, for ever."""
        while True:
            try:
                pause = await self.step_beside()
            except StateroomError as error:
                _log.warning("listing_comparison_failed", code=error.code)
                pause = _AFTER_ERROR_SECONDS
            await self._clock.sleep(pause)

    async def step_beside(self) -> float:
        """Measure one large object, or else compare if it is time to; returns the pause until next.

        The long pauses of the comparison keep no large object waiting for its size.

        Raises:
            StoreUnavailable: The database is away.
        """
        if pause := await self.measure_one_large():
            return pause
        if self._clock.monotonic() >= self._compare_at:
            rest = await self.compare()
            self._compare_at = self._clock.monotonic() + rest
        return STEP_SECONDS

    async def step(self) -> int:
        """Write what is due of what was noted; returns how many objects that were.

        Raises:
            StoreUnavailable: The database is away. Nothing is forgotten.
        """
        await self._collect(self._changed.take())
        now = self._clock.monotonic()
        objects: list[UUID] = []
        while self._due and self._due[0][0] <= now and len(objects) < STEP_OBJECTS:
            at, _, uuid = heapq.heappop(self._due)
            if self._waiting.get(uuid) == at:
                del self._waiting[uuid]
                objects.append(uuid)
        if objects:
            try:
                await self._write(objects)
            except BaseException:
                await self._collect(objects)
                raise
        return len(objects)

    async def finish(self, *, seconds: float) -> None:
        """Write what waits, rested or not, because the worker stops; what is left is found later.

        An absence of the database is not waited out.
        """
        waiting = list(self._waiting)
        self._waiting.clear()
        self._due.clear()
        self._rests.clear()
        with suppress(StateroomError, TimeoutError):
            async with asyncio.timeout(seconds):
                await self._collect(waiting)
                while await self.step():
                    pass

    async def measure_one_large(self) -> float:
        """Measure one object with many rows; returns the pause it has earned, 0 if there is none.

        Raises:
            StoreUnavailable: The database is away.
        """
        if not self._large:
            return 0.0
        uuid, first = next(iter(self._large.items()))
        before = self._clock.monotonic()
        found = await measure_large(self._database, first)
        del self._large[uuid]
        await self._refresh([uuid], {uuid: found})
        self._rest(uuid, found.rows)
        took = self._clock.monotonic() - before
        return max(STEP_SECONDS, took * 10)

    async def compare(self) -> float:
        """Compare the next part of the objects with the lists; returns the pause until the next.

        First what is missing or old in the lists, then what is too much there.

        Raises:
            StoreUnavailable: The database is away.
        """
        first, end = self._block, self._block + STEP_BLOCKS
        statement = STRAY if self._strays else MISSED
        rows = await self._database.fetch(statement, (first, 0), (end, 0), STEP_OBJECTS)
        found = [row["object_id"] for row in rows if row["object_id"] is not None]
        await self._collect(found)
        if len(found) >= STEP_OBJECTS:  # there may be more of them in this part
            return STEP_SECONDS
        self._block = end
        if end >= rows[0]["blocks"]:
            self._block = 0
            self._strays = not self._strays
            if not self._strays:
                return PASS_SECONDS
        return STEP_SECONDS if found else MISSED_SECONDS * max(1, int(rows[0]["workers"]))

    async def _collect(self, objects: Iterable[UUID]) -> None:
        """Let objects wait until their rest is over."""
        now = self._clock.monotonic()
        for number, uuid in enumerate(objects):
            if number % _AT_A_BREATH == _AT_A_BREATH - 1:
                await breathe()
            self._wait(uuid, max(now, self._rests.of(uuid, now).entry))

    def _wait(self, uuid: UUID, at: float) -> None:
        known = self._waiting.get(uuid)
        if (known is not None and known <= at) or len(self._waiting) >= NOTES:
            return
        self._waiting[uuid] = at
        self._serial += 1
        heapq.heappush(self._due, (at, self._serial, uuid))

    async def _write(self, objects: list[UUID]) -> None:
        now = self._clock.monotonic()
        rests = self._rests
        wanted = [uuid for uuid in objects if rests.of(uuid, now).size <= now]
        found = await measure_small(self._database, wanted) if wanted else []
        small = {each.uuid: each for each in found if each.rows <= SMALL_ROWS}
        await self._refresh(objects, small)
        for each in found:
            if each.uuid in small:
                self._rest(each.uuid, each.rows)
            elif len(self._large) < NOTES:
                self._large[each.uuid] = each
        resting = now + REST_SECONDS
        for uuid in objects:
            size_due = rests.of(uuid, now).size
            if uuid not in small and size_due > now:  # its size was put off
                self._wait(uuid, size_due)
            rests.begin(uuid, Rest(resting, size_due))
        rests.forget(now)

    async def _refresh(self, objects: list[UUID], sizes: dict[UUID, Measured]) -> None:
        known = [sizes.get(uuid) for uuid in objects]
        await self._database.fetch(
            REFRESH,
            objects,
            [each and each.commit_seq for each in known],
            [each and each.rows for each in known],
            [each and each.size_bytes for each in known],
            self._part,
        )

    def _rest(self, uuid: UUID, rows: int) -> None:
        now = self._clock.monotonic()
        seconds = min(max(REST_SECONDS, rows * REST_OF_A_ROW_SECONDS), LONGEST_REST_SECONDS)
        self._rests.begin(uuid, Rest(now + REST_SECONDS, now + seconds))
