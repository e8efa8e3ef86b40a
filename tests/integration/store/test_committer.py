"""The Postgres committer beyond its contract: faults of the server, and its own start and end."""

import asyncio
import secrets

import pytest

from app.core.errors import StorageRefused, StoreUnavailable
from app.core.values import CommitOutcome, CommitResult, WriteBatch
from app.store.commit_path import CommitPath
from app.store.commit_statement import Flight
from app.store.committer import LARGE_BATCH_BYTES, WHOLE_GROUP_ROOMS, PostgresCommitter
from app.store.database import Database
from app.store.driver import ConnectTarget
from tests.doubles.batch_source import Lease, Writes, commit
from tests.doubles.tcp_proxy import FaultProxy
from tests.integration.store.conftest import Site

TERMINATE_OTHERS = """
select pg_terminate_backend(pid, 5000) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
"""


@pytest.mark.parametrize(
    "guilty",
    [
        {secrets.token_bytes(2_690): b"an index entry that is too large"},
        {b"key": "not bytes"},
    ],
    ids=["index entry", "text"],
)
async def test_the_guilty_room_is_found_wherever_it_stands_in_the_group(
    site: Site, guilty: dict[bytes, bytes | None]
) -> None:
    worker = await site.worker()
    rooms = [await worker.room(f"room-{number}") for number in range(12)]
    for place in (0, 5, 11):
        before = [len(writes.outcomes) for writes in rooms]
        for number, writes in enumerate(rooms):
            worker.committer.enqueue(writes.put(guilty if number == place else {b"a": b"1"}))
        for number, writes in enumerate(rooms):
            outcome = await writes.answer(before[number])
            if number == place:
                assert outcome.result is CommitResult.REFUSED
                assert isinstance(outcome.error, StorageRefused)
                assert "not bytes" not in f"{outcome.error}{outcome.error.__cause__}"
            else:
                assert outcome.result is CommitResult.COMMITTED


async def test_a_standby_is_waited_out_like_an_absence(site: Site) -> None:
    """After a failover the old address may lead to a server that takes no writes for a while."""
    worker = await site.worker()
    writes = await worker.room("room")
    session = await site.session()
    name = await session.fetchval("select current_database()")
    await session.execute(f"alter database {name} set default_transaction_read_only = on")
    try:
        await session.fetch(TERMINATE_OTHERS)
        worker.committer.enqueue(writes.put({b"a": b"1"}))
        await writes.taken_once()
        await session.fetch("select pg_sleep(0.2)")
        assert writes.outcomes == []
    finally:
        await session.execute(f"alter database {name} reset default_transaction_read_only")
    assert (await writes.answer(0)).result is CommitResult.COMMITTED


async def test_terminated_backends_cost_nothing(site: Site) -> None:
    worker = await site.worker()
    writes = await worker.room("room")
    session = await site.session()
    for number in range(1, 6):
        await session.fetch(TERMINATE_OTHERS)
        outcome = await commit(worker.committer, writes, {b"n": b"%d" % number})
        assert outcome.result is CommitResult.COMMITTED
    assert await site.rows(writes) == {b"n": b"5"}


async def test_small_commits_do_not_wait_for_a_large_one(site: Site) -> None:
    worker = await site.worker()
    large, small = await worker.room("large"), await worker.room("small")
    session = await site.session()
    transaction = session.transaction()
    await transaction.start()
    # The large one stops at its insert, in the server, as if it took long.
    await session.execute(
        "insert into object_row values ($1, $2, '')", large.claim.object_id.uuid, b"big"
    )
    worker.committer.enqueue(large.put({b"big": bytes(LARGE_BATCH_BYTES + 1)}))
    for number in range(1, 6):
        assert (await commit(worker.committer, small, {b"n": b"%d" % number})).commit_seq == number
    assert large.outcomes == []
    await transaction.rollback()
    assert (await large.answer(0)).result is CommitResult.COMMITTED


@pytest.mark.parametrize("halves", [1, 2])
async def test_of_many_rooms_the_second_half_is_sent_before_the_first_is_told(
    site: Site, halves: int
) -> None:
    worker = await site.worker()
    rooms = [await worker.room(f"room-{n}") for n in range(halves * WHOLE_GROUP_ROOMS)]
    taken_when_told: list[int] = []

    def told(outcome: CommitOutcome) -> None:
        taken_when_told.append(sum(len(writes.taken) for writes in rooms))
        Writes.settle(rooms[len(taken_when_told) - 1], outcome)

    for writes in rooms:  # the statements are prepared
        worker.committer.enqueue(writes.put({b"a": b"1", b"b": b"1"}))
    for writes in rooms:
        await writes.answer(0)
        writes.taken.clear()
    for writes in rooms:
        writes.settle = told  # type: ignore[method-assign] # to look on
        worker.committer.enqueue(writes.put({b"a": b"2", b"b": b"2"}))
    assert {(await writes.answer(1)).result for writes in rooms} == {CommitResult.COMMITTED}
    # The rooms of the first half find that all of the second have been taken.
    assert taken_when_told == [len(rooms)] * len(rooms)


async def test_a_fault_while_a_group_is_told_harms_no_group_that_is_on_its_way(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await site.worker()
    rooms = [await worker.room(f"room-{n}") for n in range(2 * WHOLE_GROUP_ROOMS)]
    for writes in rooms:  # the statements are prepared
        worker.committer.enqueue(writes.put({b"a": b"1", b"b": b"1"}))
    for writes in rooms:
        await writes.answer(0)
    confirm, faults = CommitPath.confirm, [RuntimeError("a fault of ours")]

    def faulty(path: CommitPath, flights: list[Flight]) -> None:
        if faults:
            raise faults.pop()
        confirm(path, flights)

    monkeypatch.setattr(CommitPath, "confirm", faulty)
    for writes in rooms:
        worker.committer.enqueue(writes.put({b"a": b"2", b"b": b"2"}))
    results = [(await writes.answer(1)).result for writes in rooms]
    first = [CommitResult.UNAVAILABLE] * WHOLE_GROUP_ROOMS
    assert results == first + [CommitResult.COMMITTED] * WHOLE_GROUP_ROOMS
    for writes in rooms[WHOLE_GROUP_ROOMS:]:
        worker.committer.enqueue(writes.put({b"a": b"3"}))
        assert (await writes.answer(2)).result is CommitResult.COMMITTED


async def test_closing_commits_what_was_enqueued(site: Site) -> None:
    worker = await site.worker()
    rooms = [await worker.room(f"room-{number}") for number in range(20)]
    for writes in rooms:
        worker.committer.enqueue(writes.put({b"a": b"1"}))
    await worker.committer.close()
    for writes in rooms:
        assert (await writes.answer(0)).result is CommitResult.COMMITTED
        assert await site.rows(writes) == {b"a": b"1"}


async def test_a_start_without_a_database_is_unavailable(site: Site) -> None:
    async with FaultProxy(site.url) as proxy:
        proxy.refusing = True
        database = Database(ConnectTarget.from_url(proxy.url), site.database.cluster, connections=1)
        worker = await site.worker()
        committer = PostgresCommitter(database, worker_id=worker.worker_id, lease=Lease())
        with pytest.raises(StoreUnavailable):
            await committer.start()
        await committer.close(seconds=0.1)


async def test_a_source_that_raises_harms_no_other_room(site: Site) -> None:
    worker = await site.worker()
    good = await worker.room("good")

    class Broken(Writes):
        def take_batch(self) -> WriteBatch | None:
            raise RuntimeError("a fault of the room")

    class Ungrateful(Writes):
        def settle(self, outcome: CommitOutcome) -> None:
            assert outcome
            raise RuntimeError("a fault of the room")

    worker.committer.enqueue(Broken(good.claim).put({b"a": b"1"}))
    ungrateful = Ungrateful((await worker.room("ungrateful")).claim)
    worker.committer.enqueue(ungrateful.put({b"a": b"1"}))
    assert (await commit(worker.committer, good, {b"a": b"1"})).result is CommitResult.COMMITTED
    assert await site.rows(ungrateful) == {b"a": b"1"}


async def test_objects_of_a_worker_whose_row_is_gone_are_free(site: Site) -> None:
    gone, other = await site.worker(), await site.worker()
    writes = await gone.room("room")
    await site.database.fetch("delete from worker where worker_id = $1", gone.worker_id)
    claim = await other.store.claim(writes.claim.object_id, other.worker_id)
    assert claim.epoch > writes.claim.epoch


async def test_groups_form_by_themselves_while_a_commit_is_in_flight(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred rooms, ten writes each: far fewer statements than commits."""
    worker = await site.worker()
    rooms = [await worker.room(f"room-{number}") for number in range(100)]
    statements = 0
    original = worker.committer._small.commit

    async def counted(group: list[Flight]) -> list[Flight]:
        nonlocal statements
        statements += 1
        return await original(group)

    monkeypatch.setattr(worker.committer._small, "commit", counted)
    for number in range(1, 11):
        await asyncio.gather(
            *(commit(worker.committer, writes, {b"n": b"%d" % number}) for writes in rooms)
        )
    assert statements <= 100
    assert all(writes.expected == 10 for writes in rooms)
