"""What the in-memory twins offer a test beyond the contracts they share with Postgres."""

import asyncio

import pytest

from app.core.errors import LeaseLost, OwnershipLost, StorageRefused, StoreUnavailable
from app.core.ids import ObjectIds
from app.core.values import CommitResult, KeyRange
from app.testing.memory import (
    MemoryCommitter,
    MemoryDatabase,
    MemoryObjectStore,
    MemoryWorkerLeases,
)
from tests.doubles.batch_source import Writes, commit

IDS = ObjectIds(b"k" * 32)


class Steps:
    """A committer that is held, and one room of its worker."""

    def __init__(self, database: MemoryDatabase, committer: MemoryCommitter, room: Writes) -> None:
        self.database = database
        self.store = MemoryObjectStore(database)
        self.committer = committer
        self.room = room


@pytest.fixture
async def steps() -> Steps:
    database = MemoryDatabase()
    worker_id = database.add_worker()
    claim = await MemoryObjectStore(database).claim(IDS.from_name("notes", "room"), worker_id)
    committer = MemoryCommitter(database, worker_id)
    committer.hold()
    return Steps(database, committer, Writes(claim))


async def test_a_held_committer_takes_nothing_until_it_is_told_to(steps: Steps) -> None:
    steps.committer.enqueue(steps.room.put({b"a": b"1"}))
    for _ in range(5):
        await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop, no time
    assert steps.room.taken == []
    assert not steps.committer.idle
    (batch,) = steps.committer.take()
    assert batch.entries == {b"a": b"1"}
    assert steps.committer.in_flight == [batch]
    assert (await steps.store.scan(batch.object_id, KeyRange())).rows == []
    steps.committer.settle()
    assert steps.room.outcomes == [(CommitResult.COMMITTED, 1, None)]
    assert steps.committer.committed == [batch]
    assert steps.committer.idle


async def test_what_is_enqueued_in_flight_waits_for_the_next_take(steps: Steps) -> None:
    steps.committer.enqueue(steps.room.put({b"a": b"1"}))
    steps.committer.take()
    steps.committer.enqueue(steps.room.put({b"b": b"2"}))
    assert len(steps.committer.take()) == 1
    steps.committer.settle()
    assert len(steps.room.outcomes) == 1
    steps.committer.commit_now()
    assert len(steps.room.outcomes) == 2


async def test_a_released_committer_goes_on_by_itself(steps: Steps) -> None:
    steps.committer.enqueue(steps.room.put({b"a": b"1"}))
    steps.committer.release()
    assert (await steps.room.answer(0)).result is CommitResult.COMMITTED


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (CommitResult.LOST, OwnershipLost),
        (CommitResult.REFUSED, StorageRefused),
        (CommitResult.UNAVAILABLE, StoreUnavailable),
    ],
)
async def test_the_next_commit_can_be_made_to_fail(
    steps: Steps, result: CommitResult, error: type[Exception]
) -> None:
    steps.committer.release()
    steps.committer.fail_next(result)
    outcome = await commit(steps.committer, steps.room, {b"a": b"1"})
    assert outcome.result is result
    assert isinstance(outcome.error, error)
    assert steps.committer.committed == []
    assert (await commit(steps.committer, steps.room, {b"a": b"1"})).commit_seq == 1


async def test_a_database_that_is_away_fails_every_call(steps: Steps) -> None:
    steps.database.away = True
    room = steps.room.claim.object_id
    leases = MemoryWorkerLeases(steps.database)
    with pytest.raises(StoreUnavailable):
        await steps.store.claim(room, steps.room.claim.worker_id)
    with pytest.raises(StoreUnavailable):
        await steps.store.scan(room, KeyRange())
    with pytest.raises(StoreUnavailable):
        await leases.renew(steps.room.claim.worker_id, lease_seconds=1)
    steps.committer.release()
    outcome = await commit(steps.committer, steps.room, {b"a": b"1"})
    assert outcome.result is CommitResult.UNAVAILABLE


async def test_a_lease_runs_out_by_the_clock_that_was_given() -> None:
    class Hand:
        now = 100.0

        def monotonic(self) -> float:
            return self.now

        async def sleep(self, seconds: float) -> None:
            self.now += seconds

        def call_later(self, seconds: float, callback: object) -> asyncio.TimerHandle:
            raise NotImplementedError(f"{seconds} {callback}")

    clock = Hand()
    database = MemoryDatabase(clock)
    worker_id = database.add_worker(lease_seconds=3)
    store, leases = MemoryObjectStore(database), MemoryWorkerLeases(database)
    await store.claim(IDS.from_name("notes", "room"), worker_id)
    clock.now += 2.9
    first = await leases.renew(worker_id, lease_seconds=3)
    clock.now += 3.0
    assert first is not None
    assert first.database_ms == database.now_ms() - 3000
    assert await leases.renew(worker_id, lease_seconds=3) is None
    with pytest.raises(LeaseLost):
        await store.claim(IDS.from_name("notes", "room"), worker_id)
