"""Claims of alarms beside commits and foreign locks: nobody waits for nobody, nothing is lost."""

import asyncio

from app.core.values import Alarm, CommitResult, DueAlarm
from app.store.alarms import PostgresAlarmQueue
from tests.doubles.batch_source import Writes, commit
from tests.integration.store.conftest import Site

ANSWER_SECONDS = 20.0
OVERDUE = Alarm(due_ms=1_000, next_attempt_ms=1_000)


async def test_what_somebody_has_locked_is_left_out_and_not_waited_for(site: Site) -> None:
    worker = await site.worker()
    queue = PostgresAlarmQueue(site.database)
    rooms = [await worker.room(name) for name in ("locked", "free")]
    for room in rooms:
        await commit(worker.committer, room, {}, alarms={"": OVERDUE})
    session = await site.session()
    async with session.transaction():
        await session.execute(
            "select from object_alarm where object_id = $1 for update",
            rooms[0].claim.object_id.uuid,
        )
        async with asyncio.timeout(ANSWER_SECONDS):
            found = await queue.claim_due(worker.worker_id, limit=9, seconds=60)
            assert [alarm.object_id.name for alarm in found.alarms] == ["free"]
    found = await queue.claim_due(worker.worker_id, limit=9, seconds=60)
    assert [alarm.object_id.name for alarm in found.alarms] == ["locked"]


async def test_a_claim_on_what_somebody_has_locked_is_kept_another_time(site: Site) -> None:
    worker = await site.worker()
    queue = PostgresAlarmQueue(site.database)
    rooms = [await worker.room(name) for name in ("locked", "free")]
    for room in rooms:
        await commit(worker.committer, room, {}, alarms={"": OVERDUE})
    found = await queue.claim_due(worker.worker_id, limit=9, seconds=60)
    assert len(found.alarms) == 2
    session = await site.session()
    async with session.transaction():
        await session.execute(
            "select from object_alarm where object_id = $1 for update",
            rooms[0].claim.object_id.uuid,
        )
        async with asyncio.timeout(ANSWER_SECONDS):
            await queue.keep(worker.worker_id, found.alarms, seconds=0)
    again = await queue.claim_due(worker.worker_id, limit=9, seconds=60)
    assert [alarm.object_id.name for alarm in again.alarms] == ["free"]


async def test_two_claims_at_once_share_what_is_due(site: Site) -> None:
    workers = [await site.worker() for _ in range(2)]
    queue = PostgresAlarmQueue(site.database)
    for number in range(20):
        room = await workers[0].room(f"{number}")
        await commit(workers[0].committer, room, {}, alarms={"": OVERDUE})
    answers = await asyncio.gather(
        *(queue.claim_due(workers[turn % 2].worker_id, limit=5, seconds=60) for turn in range(6))
    )
    found = [alarm.object_id.name for answer in answers for alarm in answer.alarms]
    assert len(found) == len(set(found))


async def test_commits_claims_and_renewals_of_the_same_alarms_never_deadlock(site: Site) -> None:
    worker, other = await site.worker(), await site.worker()
    queue = PostgresAlarmQueue(site.database)
    rooms = [await worker.room(f"{number}") for number in range(12)]
    over = asyncio.Event()
    claimed: list[DueAlarm] = []

    async def write(room: Writes, order: int) -> None:
        for number in range(60):
            alarms = {f"{order * name}": OVERDUE if number % 2 else None for name in (1, 2, 3)}
            outcome = await commit(
                worker.committer, room, {b"n": b"%d" % number}, alarms={"": OVERDUE, **alarms}
            )
            assert outcome.result is CommitResult.COMMITTED

    async def claim() -> None:
        while not over.is_set():
            found = await queue.claim_due(other.worker_id, limit=50, seconds=0)
            claimed.extend(found.alarms)
            await queue.keep(other.worker_id, found.alarms[::-1], seconds=0)

    claims = asyncio.gather(claim(), claim())
    await asyncio.gather(
        *(write(room, -1 if number % 2 else 1) for number, room in enumerate(rooms))
    )
    over.set()
    await claims
    assert claimed
    (row,) = await site.database.fetch(
        "select deadlocks from pg_stat_database where datname = current_database()"
    )
    assert row["deadlocks"] == 0
