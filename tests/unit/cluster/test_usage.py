"""What objects cost, across workers: windows, sums that survive an absence, and the ranking."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast
from uuid import uuid4

import pytest

from app.cluster.links import Links
from app.cluster.usage import AT_A_TIME, WINDOW_SECONDS, Usages
from app.core.ids import ObjectId, ObjectIds, WorkerId
from app.core.tasks import TaskOwner
from app.core.usage import Usage, UsageMeasure
from app.core.worker_rows import WorkerRow, WorkerState
from app.core.workshop import breathe
from app.room.ledger import UsageLedger
from app.testing.clock import FakeClock
from app.testing.memory_database import MemoryDatabase
from app.testing.memory_usage import MemoryUsageBook
from tests.contract.worlds import identity

IDS = ObjectIds(b"test")
WRITE_SECONDS = 3 * WINDOW_SECONDS


def name(text: str) -> ObjectId:
    return IDS.from_name("notes", text)


class Rows:
    """The workers: we, and others that cannot be reached."""

    def __init__(self, own: WorkerId) -> None:
        self.found = [_row(own)]

    async def rows(self) -> list[WorkerRow]:
        return self.found

    async def row(self, worker_id: WorkerId) -> WorkerRow | None:
        return next((row for row in self.found if row.identity.worker_id == worker_id), None)


class Worker:
    """One worker's usages on the twins."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.database = MemoryDatabase(self.clock)
        self.ledger = UsageLedger()
        self.book = MemoryUsageBook(self.database)
        own = WorkerId(uuid4())
        self.rows = Rows(own)
        self.usages = Usages(
            ledger=self.ledger,
            book=self.book,
            ids=IDS,
            rows=self.rows,
            links=cast("Links", _Deaf()),
            own_id=lambda: own,
            clock=self.clock,
            write_seconds=WRITE_SECONDS,
        )

    async def let_pass(self, seconds: float) -> None:
        for _ in range(round(seconds / WINDOW_SECONDS)):
            self.clock.advance(WINDOW_SECONDS)
            await _turns()

    async def events_today(self, object_id: ObjectId) -> int:
        days = await self.book.days(object_id, days=1)
        return days[0].usage.events if days else 0


async def _turns() -> None:
    for _ in range(20):
        await breathe()


class _Deaf:
    """Ways to other workers that lead nowhere."""

    async def to(self, _worker_id: WorkerId, _address: str) -> Any:
        raise TimeoutError


def _row(worker_id: WorkerId, state: WorkerState = WorkerState.LIVE) -> WorkerRow:
    return WorkerRow(
        identity=replace(identity(), worker_id=worker_id),
        state=state,
        started_ms=0,
        lease_ms=0,
    )


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    made = Worker()
    tasks = TaskOwner("test")
    tasks.start(made.usages.run(), name="usage")
    await _turns()
    yield made
    await tasks.close()


async def test_windows_end_often_and_are_written_now_and_then(worker: Worker) -> None:
    meter = worker.ledger.open(name("a"))
    meter.events += 2
    await worker.let_pass(WINDOW_SECONDS)
    assert worker.ledger.now(name("a")).events == 2
    assert await worker.events_today(name("a")) == 0
    meter.events += 3
    await worker.let_pass(WINDOW_SECONDS)
    assert worker.ledger.now(name("a")).events == 3
    await worker.let_pass(WINDOW_SECONDS)
    assert await worker.events_today(name("a")) == 5


async def test_an_absence_of_the_database_loses_nothing(worker: Worker) -> None:
    meter = worker.ledger.open(name("a"))
    meter.events += 2
    worker.database.away = True
    await worker.let_pass(WRITE_SECONDS)
    worker.database.away = False
    meter.events += 1
    await worker.let_pass(WRITE_SECONDS)
    assert await worker.events_today(name("a")) == 3


async def test_any_number_of_objects_is_written(worker: Worker) -> None:
    for number in range(AT_A_TIME + 1):
        worker.ledger.open(name(str(number))).events += 1
    await worker.usages.finish(seconds=60)
    top = await worker.book.top(UsageMeasure.EVENTS, limit=AT_A_TIME + 9)
    assert len(top) == AT_A_TIME + 1


async def test_a_stop_writes_what_the_last_window_holds(worker: Worker) -> None:
    worker.ledger.open(name("a")).events += 1
    await worker.usages.finish(seconds=60)
    assert await worker.events_today(name("a")) == 1


async def test_what_objects_cost_now_is_told_by_the_second(worker: Worker) -> None:
    for text, events in (("a", 10), ("b", 40)):
        worker.ledger.open(name(text)).events += events
    await worker.let_pass(WINDOW_SECONDS)
    top = await worker.usages.top_now(UsageMeasure.EVENTS, 5)
    assert [(each.used.object_id, each.rate(UsageMeasure.EVENTS)) for each in top.objects] == [
        (name("b"), 40 / WINDOW_SECONDS),
        (name("a"), 10 / WINDOW_SECONDS),
    ]
    assert top.objects[0].used.usage == Usage(events=40)
    assert top.silent_workers == 0


async def test_a_worker_that_does_not_answer_is_told_of_and_a_dead_one_is_not(
    worker: Worker,
) -> None:
    worker.ledger.open(name("a")).events += 1
    await worker.let_pass(WINDOW_SECONDS)
    worker.rows.found.append(_row(WorkerId(uuid4())))
    worker.rows.found.append(_row(WorkerId(uuid4()), WorkerState.DEAD))
    top = await worker.usages.top_now(UsageMeasure.EVENTS, 5)
    assert len(top.objects) == 1
    assert top.silent_workers == 1
