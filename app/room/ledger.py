"""What the objects of a worker cost: gathered from their meters, ready to be told and written.

A meter is opened with the parts of a room and retired with them. Every few seconds somebody calls
`turn`: what the meters have gathered becomes the last window (what objects cost now), joins the
worker's totals, and waits to be written (`take`). Pure.
"""

import heapq
from collections.abc import Iterable
from itertools import islice
from typing import Final
from uuid import UUID

from ..core.ids import ObjectId
from ..core.quotas import NO_QUOTAS, Quotas
from ..core.usage import NOTHING, Usage, UsageMeasure, UsedObject
from .meter import Meter
from .quota_watch import QuotaWatch

MOST_WAITING: Final = 100_000
"""Objects whose figures wait for the database; more are only in the totals."""


class UsageLedger:
    """See the module."""

    def __init__(self) -> None:
        self.quotas = QuotaWatch()
        """Holds the objects to their quotas."""
        self._living: set[Meter] = set()
        self._phase = 0
        self._totals = NOTHING
        self._gathering: dict[UUID, UsedObject] = {}
        self._window: dict[UUID, UsedObject] = {}
        self._waiting: dict[UUID, UsedObject] = {}
        self.window_seconds = 0.0
        """How long the last window was; 0 before there is one."""

    def __len__(self) -> int:
        """How many meters are open."""
        return len(self._living)

    def open(self, object_id: ObjectId, quotas: Quotas = NO_QUOTAS) -> Meter:
        """A meter for the parts of a room."""
        self._phase += 1
        meter = Meter(object_id, self._phase)
        self._living.add(meter)
        if quotas:
            self.quotas.add(meter, quotas)
        return meter

    def retire(self, meter: Meter) -> None:
        """Its room has no parts any more; what it has counted stays."""
        if meter in self._living:
            self._living.discard(meter)
            self._gather(meter)
            self.quotas.retire(meter)

    @property
    def totals(self) -> Usage:
        """What all objects have cost here since the worker started, up to this very moment."""
        totals = self._totals
        for used in self._gathering.values():
            totals = totals.plus(used.usage)
        for meter in self._living:
            if not meter.idle:
                totals = totals.plus(meter.look())
        return totals

    def turn(self, seconds: float) -> None:
        """End a window that has lasted so long."""
        for meter in self._living:
            if not meter.idle:
                self._gather(meter)
        window, self._gathering = self._gathering, {}
        self._window, self.window_seconds = window, seconds
        totals = self._totals
        for used in window.values():
            totals = totals.plus(used.usage)
        self._totals = totals
        self.put_back(window.values())

    def put_back(self, used: Iterable[UsedObject]) -> None:
        """Let figures wait to be written (again)."""
        waiting = self._waiting
        for each in used:
            key = each.object_id.uuid
            if key in waiting or len(waiting) < MOST_WAITING:
                _add(waiting, each)

    def take(self, most: int) -> list[UsedObject]:
        """Figures that wait to be written, of at most so many objects; they wait no more."""
        waiting = self._waiting
        return [waiting.pop(key) for key in list(islice(waiting, most))]

    def now(self, object_id: ObjectId) -> Usage:
        """What an object cost in the last window."""
        used = self._window.get(object_id.uuid)
        return NOTHING if used is None else used.usage

    def top(self, measure: UsageMeasure, limit: int) -> list[UsedObject]:
        """Those objects that cost most in the last window, the most expensive first."""
        field = Usage._fields.index(measure.field)
        costly = [used for used in self._window.values() if used.usage[field]]
        return heapq.nlargest(limit, costly, key=lambda used: used.usage[field])

    def _gather(self, meter: Meter) -> None:
        self.quotas.charge(meter)
        _add(self._gathering, UsedObject(meter.object_id, meter.take()))
        self.quotas.restart(meter)


def _add(book: dict[UUID, UsedObject], used: UsedObject) -> None:
    key = used.object_id.uuid
    known = book.get(key)
    if known is not None:
        used = UsedObject(used.object_id, known.usage.plus(used.usage))
    book[key] = used
