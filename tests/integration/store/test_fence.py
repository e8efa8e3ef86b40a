"""The fence under concurrency: every order in which a commit and a takeover can meet.

The takeover, or the commit, is played by a session of the test's own, which can stop half way.
The orders are those of the experiment that chose the statement (reference: proofs, A).
"""

import asyncio
from typing import Any

from app.core.ids import CommitSeq, WorkerId
from app.core.values import CommitResult
from app.store.commit_statement import COMMIT_PUTS
from tests.doubles.batch_source import Writes, commit
from tests.integration.store.conftest import SEIZE, Site


async def seize(session: Any, writes: Writes, worker_id: WorkerId) -> None:
    await session.fetch(SEIZE, writes.claim.object_id.uuid, worker_id)


async def commit_by_hand(
    session: Any, writes: Writes, entries: dict[bytes, bytes], *, expected: int
) -> int:
    """Run the commit statement in the session's open transaction; returns how many it fenced."""
    claim = writes.claim
    object_id = claim.object_id.uuid
    rows = await session.fetch(
        COMMIT_PUTS,
        claim.worker_id,
        [object_id],
        [claim.epoch],
        [expected],
        [object_id] * len(entries),
        list(entries),
        list(entries.values()),
    )
    return len(rows)


async def a_moment_of_waiting(site: Site, task: "asyncio.Task[Any]") -> None:
    """Long enough for the task to have met the lock, whether it waits in the server or tries."""
    async with asyncio.timeout(10):
        for _ in range(5):
            await site.database.fetch("select pg_sleep(0.01)")
    assert not task.done()


async def test_a_takeover_in_flight_that_commits_refuses_the_old_owner(site: Site) -> None:
    old, new = await site.worker(), await site.worker()
    contested, other = await old.room("contested"), await old.room("other")
    await commit(old.committer, contested, {b"a": b"1"})
    session = await site.session()
    async with session.transaction():
        await seize(session, contested, new.worker_id)
        old.committer.enqueue(other.put({b"o": b"1"}))
        task = asyncio.get_running_loop().create_task(
            commit(old.committer, contested, {b"a": b"stolen", b"b": b"2"})
        )
        await a_moment_of_waiting(site, task)
        assert (await other.answer(0)).result is CommitResult.COMMITTED
    assert (await task).result is CommitResult.LOST
    assert await site.rows(contested) == {b"a": b"1"}
    assert await site.commit_seq(contested) == 1
    assert await site.rows(other) == {b"o": b"1"}


async def test_a_takeover_in_flight_that_rolls_back_lets_the_owner_commit(site: Site) -> None:
    old, new = await site.worker(), await site.worker()
    contested = await old.room("contested")
    session = await site.session()
    transaction = session.transaction()
    await transaction.start()
    await seize(session, contested, new.worker_id)
    task = asyncio.get_running_loop().create_task(commit(old.committer, contested, {b"a": b"1"}))
    await a_moment_of_waiting(site, task)
    await transaction.rollback()
    assert (await task).result is CommitResult.COMMITTED
    assert await site.rows(contested) == {b"a": b"1"}


async def test_a_claim_that_meets_a_commit_in_flight_loads_what_it_committed(site: Site) -> None:
    old, new = await site.worker(), await site.worker()
    contested = await old.room("contested")
    await site.leases.retire(old.worker_id)
    session = await site.session()
    async with session.transaction():
        assert await commit_by_hand(session, contested, {b"a": b"1", b"b": b"2"}, expected=0) == 1
        task = asyncio.get_running_loop().create_task(
            new.store.claim(contested.claim.object_id, new.worker_id)
        )
        await a_moment_of_waiting(site, task)
    claim = await task
    assert claim.commit_seq == 1
    page = await new.store.load(claim, rows=10, size_bytes=1000)
    assert page.rows == [(b"a", b"1"), (b"b", b"2")]


async def test_a_claim_that_meets_a_commit_that_rolls_back_loads_nothing(site: Site) -> None:
    old, new = await site.worker(), await site.worker()
    contested = await old.room("contested")
    await site.leases.retire(old.worker_id)
    session = await site.session()
    transaction = session.transaction()
    await transaction.start()
    assert await commit_by_hand(session, contested, {b"a": b"1"}, expected=0) == 1
    task = asyncio.get_running_loop().create_task(
        new.store.claim(contested.claim.object_id, new.worker_id)
    )
    await a_moment_of_waiting(site, task)
    await transaction.rollback()
    claim = await task
    assert claim.commit_seq == 0
    assert (await new.store.load(claim, rows=10, size_bytes=1000)).rows == []


async def test_a_takeover_between_snapshot_and_lock_is_seen(site: Site) -> None:
    """The statement is slowed down between its snapshot and its locks, and nowhere else."""
    old, new = await site.worker(), await site.worker()
    rooms = [await old.room(name) for name in ("first", "second", "third")]
    slow = COMMIT_PUTS.replace(
        "select * from unnest(", "select w.* from (select pg_sleep(0.3)) as nap, unnest(", 1
    )
    assert slow != COMMIT_PUTS
    objects = [writes.claim.object_id.uuid for writes in rooms]
    session = await site.session()
    task = asyncio.get_running_loop().create_task(
        session.fetch(
            slow,
            old.worker_id,
            objects,
            [writes.claim.epoch for writes in rooms],
            [0, 0, 0],
            objects,
            [b"a"] * 3,
            [b"1"] * 3,
        )
    )
    while not await site.database.fetch(
        "select from pg_stat_activity where wait_event = 'PgSleep'"
    ):
        assert not task.done()
    await site.seize(rooms[1], new.worker_id)
    assert not task.done()
    fenced = {row["object_id"] for row in await task}
    assert fenced == {objects[0], objects[2]}
    assert [await site.rows(writes) for writes in rooms] == [{b"a": b"1"}, {}, {b"a": b"1"}]


async def test_a_takeover_waits_for_a_commit_that_holds_the_fence(site: Site) -> None:
    old, new = await site.worker(), await site.worker()
    contested = await old.room("contested")
    holder, late = await site.session(), await site.session()
    transaction = holder.transaction()
    await transaction.start()
    # The commit stops at its insert, with the object's row locked.
    await holder.execute(
        "insert into object_row values ($1, $2, '')", contested.claim.object_id.uuid, b"a"
    )
    task = asyncio.get_running_loop().create_task(commit(old.committer, contested, {b"a": b"1"}))
    await a_moment_of_waiting(site, task)
    seizing = asyncio.get_running_loop().create_task(seize(late, contested, new.worker_id))
    await a_moment_of_waiting(site, seizing)
    await transaction.rollback()
    assert (await task).result is CommitResult.COMMITTED
    await seizing
    outcome = await commit(old.committer, contested, {b"a": b"2"})
    assert outcome.result is CommitResult.LOST
    assert await site.rows(contested) == {b"a": b"1"}


async def test_a_release_of_an_empty_object_keeps_what_a_commit_stores_meanwhile(
    site: Site,
) -> None:
    worker = await site.worker()
    writes = await worker.room("overtaken")
    holder = await site.session()
    transaction = holder.transaction()
    await transaction.start()
    # The commit stops at its insert, with the object's row locked; the release waits for it.
    await holder.execute(
        "insert into object_row values ($1, $2, '')", writes.claim.object_id.uuid, b"a"
    )
    committing = asyncio.get_running_loop().create_task(
        commit(worker.committer, writes, {b"a": b"1"})
    )
    await a_moment_of_waiting(site, committing)
    releasing = asyncio.get_running_loop().create_task(worker.store.release(writes.claim))
    await a_moment_of_waiting(site, releasing)
    await transaction.rollback()
    assert (await committing).result is CommitResult.COMMITTED
    await releasing
    assert await site.rows(writes) == {b"a": b"1"}
    assert await site.commit_seq(writes) == 1
    assert (await commit(worker.committer, writes, {b"a": b"2"})).result is CommitResult.LOST
    taken = await (await site.worker()).room("overtaken")
    assert taken.claim.commit_seq == 1


async def test_a_stale_owner_is_refused_and_its_other_rooms_are_written(site: Site) -> None:
    old, new = await site.worker(), await site.worker()
    rooms = [await old.room(f"room-{number}") for number in range(5)]
    await site.seize(rooms[2], new.worker_id)
    for writes in rooms:
        old.committer.enqueue(writes.put({b"a": b"1", b"b": b"2"}))
    results = [(await writes.answer(0)).result for writes in rooms]
    assert [result is CommitResult.COMMITTED for result in results] == [
        True,
        True,
        False,
        True,
        True,
    ]
    for number, writes in enumerate(rooms):
        expected = {} if number == 2 else {b"a": b"1", b"b": b"2"}
        assert await site.rows(writes) == expected


async def test_a_stale_owners_deletes_and_wipes_are_refused_too(site: Site) -> None:
    old, new = await site.worker(), await site.worker()
    deleting, wiping = await old.room("deleting"), await old.room("wiping")
    for writes in (deleting, wiping):
        await commit(old.committer, writes, {b"a": b"1", b"b": b"2"})
        await site.seize(writes, new.worker_id)
    old.committer.enqueue(deleting.put({b"a": None, b"c": b"3"}))
    outcome = await commit(old.committer, wiping, {b"c": b"3"}, wipe=True)
    assert outcome.result is CommitResult.LOST
    assert (await deleting.answer(1)).result is CommitResult.LOST
    for writes in (deleting, wiping):
        assert await site.rows(writes) == {b"a": b"1", b"b": b"2"}


async def test_of_two_commits_with_the_same_expected_number_one_counts(site: Site) -> None:
    worker = await site.worker()
    writes = await worker.room("room")
    session = await site.session()
    async with session.transaction():
        assert await commit_by_hand(session, writes, {b"a": b"other"}, expected=0) == 1
        task = asyncio.get_running_loop().create_task(
            commit(worker.committer, writes, {b"a": b"mine"})
        )
        await a_moment_of_waiting(site, task)
    assert (await task).result is CommitResult.LOST
    assert await site.rows(writes) == {b"a": b"other"}
    assert await site.commit_seq(writes) == 1


async def test_a_locked_room_stalls_no_other_and_commits_when_it_is_free(site: Site) -> None:
    worker = await site.worker()
    locked, free = await worker.room("locked"), await worker.room("free")
    session = await site.session()
    async with session.transaction():
        await session.fetch(
            "select from object where object_id = $1 for update", locked.claim.object_id.uuid
        )
        worker.committer.enqueue(locked.put({b"a": b"1"}))
        for number in range(5):
            outcome = await commit(worker.committer, free, {b"n": b"%d" % number})
            assert outcome.result is CommitResult.COMMITTED
        assert locked.outcomes == []
    assert (await locked.answer(0)).commit_seq == 1
    assert await site.rows(locked) == {b"a": b"1"}


async def test_a_locked_room_is_given_up_when_the_lease_ends(site: Site) -> None:
    worker = await site.worker()
    locked = await worker.room("locked")
    session = await site.session()
    async with session.transaction():
        await session.fetch(
            "select from object where object_id = $1 for update", locked.claim.object_id.uuid
        )
        worker.committer.enqueue(locked.put({b"a": b"1"}))
        await locked.taken_once()
        worker.lease.held = False
        assert (await locked.answer(0)).result is CommitResult.UNAVAILABLE
    assert await site.rows(locked) == {}


async def test_groups_in_opposite_orders_never_deadlock(site: Site) -> None:
    """Two workers cannot own the same rooms, so the second plays one of the same worker's life."""
    worker = await site.worker()
    rooms = [await worker.room(f"room-{number}") for number in range(8)]
    session = await site.session()
    objects = [writes.claim.object_id.uuid for writes in rooms]
    epochs = [writes.claim.epoch for writes in rooms]

    async def touch(backwards: list[int]) -> None:
        for _ in range(150):
            found = await session.fetch(
                "select object_id, commit_seq from object where object_id = any($1::uuid[])",
                objects,
            )
            numbers = {row["object_id"]: row["commit_seq"] for row in found}
            ordered = [objects[number] for number in backwards]
            await session.fetch(
                COMMIT_PUTS,
                worker.worker_id,
                ordered,
                [epochs[number] for number in backwards],
                [numbers[object_id] for object_id in ordered],
                [],
                [],
                [],
            )

    other = asyncio.get_running_loop().create_task(touch(list(range(7, -1, -1))))
    while not other.done():
        for writes in rooms:
            writes.expected = CommitSeq(await site.commit_seq(writes))
        await asyncio.gather(*(commit(worker.committer, writes, {b"a": b"1"}) for writes in rooms))
    await other  # a deadlock would be an exception of its statement
    assert {outcome.result for writes in rooms for outcome in writes.outcomes} <= {
        CommitResult.COMMITTED,
        CommitResult.LOST,
    }
