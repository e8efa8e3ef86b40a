"""The metrics of all workers in one scrape, whichever worker it reaches.

A scrape of a shared port, or of a proxy, lands on any worker. It reads its own values and asks the
others for theirs over the links that are there anyway, all at once and with one deadline; who does
not answer is told as down. Whom to ask is what the database says. While the database is away it is
those that were known last, so metrics are there when they are needed most.

A worker is called by its machine and slot, not by the id of its life: a worker that was started
again goes on under the same label, and the number of labels is that of places.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ..core.clock import Clock
from ..core.errors import StateroomError
from ..core.metric_catalogue import METRICS
from ..core.metrics import Reading, packed, unpacked
from ..core.worker_rows import WorkerRow, WorkerRows, WorkerState
from .link_errors import NotBegun
from .link_service import ASK
from .links import Links

METRICS_CALL: Final = "metrics"
"""How the question is called."""
_ROWS_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 2.0
"""Together well below the ten seconds that Prometheus gives a scrape."""
_NODE_CHARACTERS: Final = 8

ReadOwn = Callable[[], Awaitable[list[Reading]]]
"""Reads what this worker has to tell of itself."""


class ToldWorker(NamedTuple):
    """One worker in a scrape.

    Attributes:
        worker: Its label.
        readings: What it told; None when it did not answer.
    """

    worker: str
    readings: Sequence[Reading] | None


def worker_label(node: str, slot: int) -> str:
    """What a worker is called in metrics."""
    return f"{node[:_NODE_CHARACTERS]}-{slot}"


class MetricsGathering:
    """See the module.

    Args:
        read_own: Reads this worker.
        rows: Every worker.
        links: The ways to them.
        clock: For the deadlines.
        node: The machine that we are on.
        slot: Which of its workers we are.
    """

    def __init__(
        self,
        read_own: ReadOwn,
        *,
        rows: WorkerRows,
        links: Links,
        clock: Clock,
        node: str,
        slot: int,
    ) -> None:
        self._read_own = read_own
        self._rows = rows
        self._links = links
        self._clock = clock
        self._node = node
        self._slot = slot
        self._known: list[WorkerRow] = []
        self._gathering = asyncio.Lock()
        self._begun_at = float("-inf")
        self._latest: list[ToldWorker] = []

    async def gather(self, *, this_node: bool = False) -> list[ToldWorker]:
        """Ask every worker, or those of this machine.

        Those who ask while somebody's gathering is about to begin are all given that one.
        """
        asked_at = self._clock.monotonic()
        async with self._gathering:
            if self._begun_at <= asked_at:
                self._begun_at = self._clock.monotonic()
                self._latest = await self._ask_all()
        own = worker_label(self._node, 0)[:-1]
        return [told for told in self._latest if not this_node or told.worker.startswith(own)]

    async def tell(self, _meta: Mapping[str, Any]) -> dict[str, Any]:
        """Answer another worker's question; a `WorkerCallHandler`."""
        return {"readings": packed(await self._read_own())}

    async def _ask_all(self) -> list[ToldWorker]:
        own = worker_label(self._node, self._slot)
        readings, told = await asyncio.gather(self._read_own(), self._ask_others(own))
        return [ToldWorker(own, readings), *told]

    async def _ask_others(self, own: str) -> list[ToldWorker]:
        others: dict[str, WorkerRow] = {}
        for row in sorted(await self._living(), key=lambda row: row.started_ms):
            others[worker_label(row.identity.node, row.identity.slot)] = row
        others.pop(own, None)
        return await asyncio.gather(*(self._ask(name, row) for name, row in others.items()))

    async def _living(self) -> list[WorkerRow]:
        """Those that are not known to have ended."""
        try:
            async with asyncio.timeout(_ROWS_SECONDS):
                rows = await self._rows.rows()
        except (StateroomError, TimeoutError):
            return self._known
        self._known = [row for row in rows if row.state is not WorkerState.DEAD]
        return self._known

    async def _ask(self, name: str, row: WorkerRow) -> ToldWorker:
        identity = row.identity
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                link = await self._links.to(identity.worker_id, identity.address)
                answer, _ = await link.call(
                    {ASK: METRICS_CALL}, b"", within_seconds=_ANSWER_SECONDS
                )
        except (StateroomError, NotBegun, TimeoutError):
            return ToldWorker(name, None)
        return ToldWorker(name, unpacked(answer.get("readings"), METRICS))
