"""Imports in Postgres beside their contract: lists follow, and two imports do not deadlock."""

import asyncio

from app.store.staging import PostgresStaging
from tests.integration.store.conftest import Site


async def test_lists_are_told_of_objects_that_were_given_up_many_at_a_time(site: Site) -> None:
    worker = await site.worker()
    staging = PostgresStaging(site.database)
    room = await worker.room("one")
    worker.committer.enqueue(room.put({b"k": b"v"}))
    await room.answer(0)
    site.database.changed.take()
    assert await staging.release_written([room.claim]) == [room.claim.object_id.uuid]
    assert site.database.changed.take() == [room.claim.object_id.uuid]


async def test_lists_are_told_of_objects_that_were_moved_in(site: Site) -> None:
    worker = await site.worker()
    staging = PostgresStaging(site.database)
    room = await worker.room("one")
    key = room.claim.object_id.uuid
    await staging.stage(key, [(b"k", b"v")])
    batch = room.put({}).take_batch()
    assert batch is not None
    site.database.changed.take()
    outcome = await staging.move(key, batch, worker.worker_id, rows=1)
    assert outcome.commit_seq == 1
    assert site.database.changed.take() == [key]
    assert await site.rows(room) == {b"k": b"v"}


async def test_two_imports_of_the_same_objects_in_any_order_share_them(site: Site) -> None:
    staging = PostgresStaging(site.database)
    ids = [site.database.object_ids.from_name("notes", f"room {n}") for n in range(400)]
    for _ in range(5):
        workers = [await site.worker() for _ in range(2)]
        orders = (ids, ids[::-1])
        claimed = await asyncio.gather(
            *(
                staging.claim_new(order, worker.worker_id)
                for worker, order in zip(workers, orders, strict=True)
            )
        )
        assert sum(map(len, claimed)) == len(ids)
        await site.database.fetch("delete from object")
