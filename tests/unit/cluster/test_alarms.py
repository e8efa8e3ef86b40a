"""The scheduler: who claims, how many at once, and what follows a ring that came to nothing."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs

from app.cluster.alarm_agenda import AT_ONCE
from app.cluster.alarms import AlarmScheduler
from app.core.errors import RoomAborted, WorkerLeaving
from app.core.ids import CommitSeq, Epoch, ObjectId, ObjectIds, WorkerId
from app.core.limits import ALARMS_CLAIMED_OF_ONE
from app.core.values import Alarm, DueAlarm, DueAlarms, RingOutcome
from app.sdk import DurableObject
from app.testing.harness import ObjectHarness
from app.testing.memory import MemoryAlarmQueue, MemoryDatabase
from app.testing.memory_database import MemoryAlarm, MemoryObject

IDS = ObjectIds(b"k" * 32)


class Bench:
    """A scheduler whose rings a test answers; the rest of the worker is the harness's."""

    def __init__(self, harness: ObjectHarness) -> None:
        self.harness = harness
        self.rung: list[str] = []
        self.open: dict[str, asyncio.Future[RingOutcome]] = {}
        self.queue = CountingQueue(harness.database)
        self.scheduler = AlarmScheduler(
            queue=self.queue,
            ring=self.ring,
            membership=harness.membership,
            clock=harness.clock,
            database_clock=harness.database_clock,
        )

    async def ring(self, alarm: DueAlarm) -> RingOutcome:
        name = str(alarm.object_id.name)
        self.rung.append(name)
        answer: asyncio.Future[RingOutcome] = asyncio.get_running_loop().create_future()
        self.open[name] = answer
        return await answer

    def store(self, name: str, *, in_ms: int = 0) -> None:
        """An alarm as if it had been committed by some worker."""
        due_ms = self.harness.database.now_ms() + in_ms
        object_id = IDS.from_name("notes", name)
        row = MemoryAlarm(Alarm(due_ms=due_ms, next_attempt_ms=due_ms))
        self.harness.database.objects[object_id.uuid] = MemoryObject(
            object_id=object_id,
            worker_id=None,
            epoch=Epoch(1),
            commit_seq=CommitSeq(1),
            alarms={"": row},
        )

    def done(self, name: str) -> None:
        """The ring is answered, and the owner has deleted the alarm."""
        del self.harness.database.objects[IDS.from_name("notes", name).uuid]
        self.open.pop(name).set_result(RingOutcome.DONE)

    def fail(self, name: str, error: Exception) -> None:
        self.open.pop(name).set_exception(error)


class CountingQueue(MemoryAlarmQueue):
    """Counts how often it is asked, and what it has given."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.asked = 0
        self.given = 0

    async def claim_due(
        self,
        worker_id: WorkerId,
        *,
        limit: int,
        seconds: float,
        each: int = ALARMS_CLAIMED_OF_ONE,
        without: Collection[ObjectId] = (),
    ) -> DueAlarms:
        self.asked += 1
        answer = await super().claim_due(
            worker_id, limit=limit, seconds=seconds, each=each, without=without
        )
        self.given += len(answer.alarms)
        return answer


class Still(DurableObject):
    """An object that has nothing to do with it."""


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        harness = await stack.enter_async_context(ObjectHarness({"still": Still}))
        await harness.alarms.close()
        made = Bench(harness)
        made.scheduler.start()
        stack.push_async_callback(made.scheduler.close)
        await harness.settle()
        yield made


async def test_what_others_have_set_is_found_within_half_a_second(bench: Bench) -> None:
    bench.store("a", in_ms=700)
    await bench.harness.advance(0.6)
    assert bench.rung == []
    await bench.harness.advance(0.5)
    assert bench.rung == ["a"]


async def test_what_was_set_here_is_rung_on_time(bench: Bench) -> None:
    bench.store("a", in_ms=125)
    bench.scheduler.expect(bench.harness.database.now_ms() + 125)
    bench.harness.clock.advance(0.0625)
    await bench.harness.settle()
    assert bench.rung == []
    bench.harness.clock.advance(0.0625)
    await bench.harness.settle()
    assert bench.rung == ["a"]


async def test_an_idle_worker_asks_twice_a_second(bench: Bench) -> None:
    bench.queue.asked = 0
    await bench.harness.advance(10)
    assert bench.queue.asked == 20


async def test_of_many_that_are_due_a_bounded_number_is_rung_at_once(bench: Bench) -> None:
    names = [f"{number:03}" for number in range(200)]
    for name in names:
        bench.store(name)
    bench.queue.asked = 0
    await bench.harness.advance(1)
    assert len(bench.rung) == AT_ONCE
    most = 0
    while bench.open:
        most = max(most, len(bench.open))
        bench.done(next(iter(bench.open)))
        await bench.harness.settle()
    assert most == AT_ONCE
    assert sorted(bench.rung) == names
    assert bench.queue.asked < 20, "asked for many at a time"


async def test_slow_handlers_stop_no_others_while_there_is_one_vacancy(bench: Bench) -> None:
    for number in range(AT_ONCE - 1):
        bench.store(f"{number}")
    await bench.harness.advance(0.5)
    for number in range(3):
        bench.store(f"quick-{number}")
        await bench.harness.advance(0.5)
        assert bench.rung[-1] == f"quick-{number}"
        bench.done(f"quick-{number}")
        await bench.harness.settle()


async def test_an_object_with_a_thousand_due_alarms_keeps_no_other_waiting(bench: Bench) -> None:
    """Its handlers are stuck; they take up a few places, and nobody waits behind them."""
    database = bench.harness.database
    bench.store("hog", in_ms=-60_000)
    hog = database.objects[IDS.from_name("notes", "hog").uuid]
    for number in range(1_000):
        hog.alarms[f"{number}"] = MemoryAlarm(hog.alarms[""].alarm)
    for number in range(40):
        bench.store(f"{number}")
    bench.queue.asked = 0
    await bench.harness.advance(0.5)
    assert bench.rung.count("hog") == ALARMS_CLAIMED_OF_ONE
    assert set(bench.rung) == {"hog", *(f"{number}" for number in range(40))}
    assert bench.queue.asked < 10


async def test_a_claim_is_kept_while_the_handler_runs(bench: Bench) -> None:
    other = bench.harness.database.add_worker()
    bench.store("a")
    await bench.harness.advance(60)
    assert bench.rung == ["a"]
    assert bench.queue.given == 1, "nobody could claim it again meanwhile"
    answer = await MemoryAlarmQueue(bench.harness.database).claim_due(other, limit=9, seconds=9)
    assert answer.alarms == []


async def test_a_worker_that_leaves_claims_nothing(bench: Bench) -> None:
    await bench.harness.membership.leave()
    bench.store("a")
    bench.scheduler.expect(bench.harness.database.now_ms())
    bench.queue.asked = 0
    await bench.harness.advance(5)
    assert bench.queue.asked == 0
    assert bench.rung == []


async def test_a_worker_without_a_lease_claims_nothing_and_its_next_life_does(
    bench: Bench,
) -> None:
    database = bench.harness.database
    database.away = True
    await bench.harness.advance(10)
    assert not bench.harness.membership.holds()
    bench.store("a")
    await bench.harness.advance(1)
    assert bench.rung == []
    database.away = False
    await bench.harness.advance(10)
    assert bench.rung == ["a"]


async def test_a_database_that_is_away_is_told_once(bench: Bench) -> None:
    with capture_logs() as logs:
        bench.harness.database.away = True
        await bench.harness.advance(1.5)
        bench.harness.database.away = False
        await bench.harness.advance(1)
        bench.harness.database.away = True
        await bench.harness.advance(0.5)
    bench.harness.database.away = False
    assert [log["event"] for log in logs].count("alarms_wait") == 2


async def test_a_ring_that_came_to_nothing_is_repeated_after_growing_pauses(bench: Bench) -> None:
    bench.store("a")
    times: list[float] = []
    for _ in range(8):
        while "a" not in bench.open:
            await bench.harness.advance(0.5)
        times.append(bench.harness.clock.monotonic())
        bench.fail("a", RoomAborted())
        await bench.harness.settle()
    pauses = [after - before for before, after in itertools.pairwise(times)]
    for pause, shortest in zip(pauses, (2, 4, 8, 16, 32, 60, 60), strict=True):
        assert shortest <= pause <= shortest * 1.25 + 0.5


async def test_a_fault_of_ours_stops_no_other_ring(bench: Bench) -> None:
    for name in ("a", "b"):
        bench.store(name)
    await bench.harness.advance(0.5)
    with capture_logs() as logs:
        bench.fail("a", KeyError("a bug"))
        await bench.harness.settle()
    assert [log["event"] for log in logs] == ["alarm_ring_failed", "alarm_postponed"]
    bench.done("b")
    await bench.harness.advance(4)
    assert bench.rung == ["a", "b", "a"]


async def test_what_a_leaving_worker_cannot_ring_is_anybodys_at_once(bench: Bench) -> None:
    other = bench.harness.database.add_worker()
    bench.store("a")
    await bench.harness.advance(0.5)
    await bench.harness.membership.leave()
    bench.fail("a", WorkerLeaving())
    await bench.harness.settle()
    answer = await MemoryAlarmQueue(bench.harness.database).claim_due(other, limit=9, seconds=9)
    assert [alarm.object_id.name for alarm in answer.alarms] == ["a"]


async def test_what_is_rung_when_the_scheduler_closes_is_anybodys_when_the_claim_runs_out(
    bench: Bench,
) -> None:
    other = bench.harness.database.add_worker()
    bench.store("a")
    await bench.harness.advance(0.5)
    await bench.scheduler.close()
    queue = MemoryAlarmQueue(bench.harness.database)
    assert (await queue.claim_due(other, limit=9, seconds=9)).alarms == []
    await bench.harness.advance(11)
    assert len((await queue.claim_due(other, limit=9, seconds=9)).alarms) == 1
