"""The connection breaks after a commit was sent: whether it was applied is settled by a write."""

from collections.abc import AsyncIterator

import pytest_asyncio

from app.core.errors import StoreUnavailable
from app.core.values import CommitResult
from tests.doubles.batch_source import Writes, commit
from tests.doubles.tcp_proxy import Fault, FaultProxy
from tests.integration.store.conftest import Site, Worker


class Far:
    """A worker whose committer reaches the database through a faulty network."""

    def __init__(self, site: Site, proxy: FaultProxy, worker: Worker, writes: Writes) -> None:
        self.site = site
        self.proxy = proxy
        self.worker = worker
        self.writes = writes

    def then(self, *script: Fault) -> None:
        """What happens to the coming statements about the room."""
        self.proxy.marker = self.writes.claim.object_id.uuid.bytes
        self.proxy.script.extend(script)


@pytest_asyncio.fixture
async def far(site: Site) -> AsyncIterator[Far]:
    async with FaultProxy(site.url) as proxy:
        worker = await site.worker(proxy.url)
        writes = await worker.room("room")
        await commit(worker.committer, writes, {b"a": b"0"})
        yield Far(site, proxy, worker, writes)
        await worker.committer.close(seconds=1.0)


async def test_a_commit_whose_answer_was_lost_counts_once_and_is_sealed_by_another(
    far: Far,
) -> None:
    far.then(Fault.LOSE_ANSWER)
    outcome = await commit(far.worker.committer, far.writes, {b"a": b"1", b"b": b"2"})
    assert outcome.result is CommitResult.COMMITTED
    # 1 before, 1 for the batch, and 1 empty commit: seeing the batch is no proof that it lasts.
    assert outcome.commit_seq == 3
    assert await far.site.commit_seq(far.writes) == 3
    assert await far.site.rows(far.writes) == {b"a": b"1", b"b": b"2"}
    assert (await commit(far.worker.committer, far.writes, {b"a": b"2"})).commit_seq == 4


async def test_a_commit_that_never_arrived_is_sent_again(far: Far) -> None:
    far.then(Fault.LOSE_STATEMENT)
    outcome = await commit(far.worker.committer, far.writes, {b"a": b"1"})
    assert outcome == (CommitResult.COMMITTED, 2, None)
    assert await far.site.commit_seq(far.writes) == 2
    assert await far.site.rows(far.writes) == {b"a": b"1"}


async def test_a_late_copy_of_a_settled_commit_changes_nothing(far: Far) -> None:
    far.then(Fault.HOLD_STATEMENT)
    outcome = await commit(far.worker.committer, far.writes, {b"a": b"1", b"only": b"1"})
    assert outcome.commit_seq == 2
    outcome = await commit(far.worker.committer, far.writes, {b"a": b"2", b"only": None})
    assert outcome.commit_seq == 3
    await far.proxy.deliver()
    assert await far.site.rows(far.writes) == {b"a": b"2"}
    assert await far.site.commit_seq(far.writes) == 3
    assert (await commit(far.worker.committer, far.writes, {b"a": b"3"})).commit_seq == 4


async def test_a_late_copy_after_a_takeover_changes_nothing(far: Far) -> None:
    far.then(Fault.HOLD_STATEMENT)
    outcome = await commit(far.worker.committer, far.writes, {b"a": b"1"})
    assert outcome.result is CommitResult.COMMITTED
    other = await far.site.worker()
    await far.site.seize(far.writes, other.worker_id)
    await far.proxy.deliver()
    assert await far.site.commit_seq(far.writes) == 2


async def test_what_is_told_as_not_committed_can_never_arrive_later(far: Far) -> None:
    """The room is lost while the outcome is open; the copy that comes then must find the fence."""
    far.then(Fault.HOLD_STATEMENT)
    far.proxy.refusing = True
    far.worker.committer.enqueue(far.writes.put({b"a": b"1"}))
    await far.writes.taken_once()
    other = await far.site.worker()
    await far.site.seize(far.writes, other.worker_id)
    far.proxy.refusing = False
    assert (await far.writes.answer(1)).result is CommitResult.LOST
    await far.proxy.deliver()
    assert await far.site.rows(far.writes) == {b"a": b"0"}


async def test_the_commit_that_settles_may_lose_its_answer_as_well(far: Far) -> None:
    far.then(
        Fault.LOSE_ANSWER,  # the batch
        Fault.PASS,  # its copy: not fenced
        Fault.PASS,  # the look at the row
        Fault.LOSE_ANSWER,  # the empty commit
        Fault.PASS,
        Fault.PASS,
        Fault.LOSE_STATEMENT,  # the next one
    )
    outcome = await commit(far.worker.committer, far.writes, {b"a": b"1"})
    assert outcome.result is CommitResult.COMMITTED
    assert outcome.commit_seq == await far.site.commit_seq(far.writes) == 4
    assert await far.site.rows(far.writes) == {b"a": b"1"}


async def test_rooms_of_the_same_group_are_settled_each_for_itself(far: Far) -> None:
    rooms = [await far.worker.room(f"room-{number}") for number in range(5)]
    other = await far.site.worker()
    far.then(Fault.LOSE_ANSWER)
    await far.site.seize(rooms[3], other.worker_id)
    for writes in (far.writes, *rooms):
        far.worker.committer.enqueue(writes.put({b"a": b"1"}))
    assert (await far.writes.answer(1)).result is CommitResult.COMMITTED
    for number, writes in enumerate(rooms):
        outcome = await writes.answer(0)
        if number == 3:
            assert outcome.result is CommitResult.LOST
        else:
            assert outcome.result is CommitResult.COMMITTED
            assert outcome.commit_seq == await far.site.commit_seq(writes)


async def test_a_short_absence_of_the_database_is_waited_out(far: Far) -> None:
    far.proxy.refusing = True
    far.proxy.cut()
    far.worker.committer.enqueue(far.writes.put({b"a": b"1"}))
    while far.proxy.opened < 4:
        await far.site.database.fetch("select pg_sleep(0.01)")
    assert len(far.writes.outcomes) == 1
    far.proxy.refusing = False
    assert (await far.writes.answer(1)).result is CommitResult.COMMITTED


async def test_an_absence_beyond_the_lease_is_unavailable(far: Far) -> None:
    far.proxy.refusing = True
    far.proxy.cut()
    far.worker.committer.enqueue(far.writes.put({b"a": b"1"}))
    await far.writes.taken_once()
    far.worker.lease.held = False
    outcome = await far.writes.answer(1)
    assert outcome.result is CommitResult.UNAVAILABLE
    assert isinstance(outcome.error, StoreUnavailable)
    assert await far.site.rows(far.writes) == {b"a": b"0"}


async def test_a_database_that_hangs_does_not_hold_a_room_beyond_the_lease(far: Far) -> None:
    far.then(Fault.STALL)
    far.worker.committer.enqueue(far.writes.put({b"a": b"1"}))
    await far.writes.taken_once()
    far.worker.lease.held = False
    far.proxy.refusing = True
    assert (await far.writes.answer(1)).result is CommitResult.UNAVAILABLE


async def test_closing_the_committer_settles_what_it_cannot_finish(far: Far) -> None:
    far.then(Fault.STALL)
    far.worker.committer.enqueue(far.writes.put({b"a": b"1"}))
    await far.writes.taken_once()
    waiting = await far.worker.room("waiting")
    far.worker.committer.enqueue(waiting.put({b"a": b"1"}))
    await far.worker.committer.close(seconds=0.05)
    assert (await far.writes.answer(1)).result is CommitResult.UNAVAILABLE
    assert (await waiting.answer(0)).result is CommitResult.UNAVAILABLE
    late = await far.worker.room("late")
    far.worker.committer.enqueue(late.put({b"a": b"1"}))
    assert (await late.answer(0)).result is CommitResult.UNAVAILABLE
