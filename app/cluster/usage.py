"""What objects cost, across the workers: kept by each for its own, told by any.

Each worker ends a window of its ledger every `WINDOW_SECONDS` (or as often as it writes, if that
is more often); what the windows have gathered is added to the sums of the day every few more
seconds, many objects in one statement. A worker that dies loses what it had not written. What
objects cost now is asked of every live worker.
"""

import asyncio
import heapq
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple, assert_never
from uuid import UUID

import structlog

from ..core.clock import Clock
from ..core.errors import QuotaExceeded, StateroomError
from ..core.ids import ObjectIds, WorkerId
from ..core.usage import Usage, UsageBook, UsageMeasure, UsedObject
from ..core.worker_rows import WorkerRow, WorkerRows, WorkerState
from ..room.ledger import UsageLedger
from ..room.quota import Standing
from ..room.quota_watch import QuotaChange
from .link_service import ASK, LinkService
from .links import Links

WINDOW_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 1.0
"""Between two looks at the quotas."""
AT_A_TIME: Final = 1_000
"""So many objects are written by one statement."""
_TOP: Final = "usage-top"
_ANSWER_SECONDS: Final = 2.0

_log = structlog.get_logger("stateroom.usage")


class CostlyObject(NamedTuple):
    """What an object cost in the last window of its worker, and how long that was."""

    used: UsedObject
    seconds: float

    def rate(self, measure: UsageMeasure) -> float:
        """How much it cost a second."""
        return measure.of(self.used.usage) / self.seconds


class Costly(NamedTuple):
    """The costly objects, and how many live workers did not say theirs."""

    objects: list[CostlyObject]
    silent_workers: int


class Usages:
    """See the module.

    Args:
        ledger: What the objects of this worker cost.
        book: The sums by day.
        ids: Makes the ids of this cluster.
        rows: Every worker.
        links: The ways to them.
        own_id: Who we are now.
        clock: For the windows.
        write_seconds: How often the sums are added to.
    """

    def __init__(
        self,
        *,
        ledger: UsageLedger,
        book: UsageBook,
        ids: ObjectIds,
        rows: WorkerRows,
        links: Links,
        own_id: Callable[[], WorkerId],
        clock: Clock,
        write_seconds: float,
    ) -> None:
        self._ledger = ledger
        self.book = book
        self._ids = ids
        self._rows = rows
        self._links = links
        self._own_id = own_id
        self._clock = clock
        self._write_seconds = write_seconds

    def serve(self, service: LinkService) -> None:
        """Tell other workers what objects cost here."""
        service.serve_worker(_TOP, self._tell)

    async def run(self) -> None:
        """End windows and write what they hold, for ever; no absence of the database matters."""
        began = written = self._clock.monotonic()
        while True:
            await self._clock.sleep(min(WINDOW_SECONDS, self._write_seconds))
            now = self._clock.monotonic()
            self._ledger.turn(now - began)
            began = now
            if now - written >= self._write_seconds:
                written = now
                await self.write()

    async def watch(self) -> None:
        """Hold the objects of this worker to their quotas, for ever."""
        looked = self._clock.monotonic()
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            now = self._clock.monotonic()
            for change in self._ledger.quotas.look(now - looked):
                _tell_of(change)
            looked = now

    async def write(self) -> None:
        """Add what has gathered to the sums. What cannot be written waits for the next time."""
        try:
            while used := self._ledger.take(AT_A_TIME):
                try:
                    await self.book.add(used)
                except BaseException:
                    self._ledger.put_back(used)
                    raise
        except StateroomError as error:
            _log.warning("usage_not_written", code=error.code)

    async def finish(self, *, seconds: float) -> None:
        """The rooms are given up and the worker stops: write what there is, if it can be."""
        self._ledger.turn(WINDOW_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.write()

    async def top_now(self, measure: UsageMeasure, limit: int) -> Costly:
        """Those objects that cost most now, of all workers, the most expensive first.

        Raises:
            StoreUnavailable: The database is away, which knows the workers.
        """
        rows = [row for row in await self._rows.rows() if row.state is not WorkerState.DEAD]
        answers = await asyncio.gather(*(self._ask(row, measure, limit) for row in rows))
        told = [costly for answer in answers if answer is not None for costly in answer]
        top = heapq.nlargest(limit, told, key=lambda costly: costly.rate(measure))
        return Costly(top, sum(answer is None for answer in answers))

    async def _ask(
        self, row: WorkerRow, measure: UsageMeasure, limit: int
    ) -> list[CostlyObject] | None:
        asked = {"by": measure.value, "limit": limit}
        try:
            if row.identity.worker_id == self._own_id():
                return self._read(await self._tell(asked))
            async with asyncio.timeout(_ANSWER_SECONDS):
                link = await self._links.to(row.identity.worker_id, row.identity.address)
                answer, _ = await link.call(
                    {ASK: _TOP, **asked}, b"", within_seconds=_ANSWER_SECONDS
                )
                return self._read(answer)
        except (StateroomError, TimeoutError, KeyError, TypeError, ValueError):
            return None

    async def _tell(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        ledger = self._ledger
        top = ledger.top(UsageMeasure(asked["by"]), int(asked["limit"]))
        return {
            "seconds": ledger.window_seconds,
            "objects": [
                [
                    each.object_id.namespace,
                    each.object_id.uuid.hex,
                    each.object_id.name,
                    list(each.usage),
                ]
                for each in top
            ],
        }

    def _read(self, answer: Mapping[str, Any]) -> list[CostlyObject]:
        seconds = float(answer["seconds"])
        return [
            CostlyObject(
                UsedObject(
                    self._ids.from_row(str(namespace), UUID(hex=uuid), name),
                    Usage(*(int(figure) for figure in figures)),
                ),
                seconds,
            )
            for namespace, uuid, name, figures in answer["objects"]
        ]


def _tell_of(change: QuotaChange) -> None:
    object_id = change.object_id
    names = {"namespace": object_id.namespace, "object": object_id.name or str(object_id)}
    match change.standing:
        case Standing.OVER:
            _log.warning(
                "quota_exceeded",
                **names,
                code=QuotaExceeded.code,
                quota=change.reason,
                seconds=change.wait_seconds,
            )
        case Standing.NEAR:
            _log.warning("quota_near", **names, quota=change.reason)
        case Standing.WITHIN:
            _log.info("quota_kept_again", **names)
        case _:
            assert_never(change.standing)
