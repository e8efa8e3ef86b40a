"""How lists follow the objects: soon, with bounded work, and also after a crash."""

import asyncio
from collections.abc import Mapping

import pytest

from app.core.errors import StateroomError
from app.core.listing import ListingRequest, NamespaceTotals
from app.core.values import CommitResult
from app.store.database import Database
from app.store.listing import PostgresObjectListing
from app.store.listing_measure import PIECE_ROWS, SMALL_ROWS
from app.store.listing_refresh import (
    REST_OF_A_ROW_SECONDS,
    REST_SECONDS,
    STEP_OBJECTS,
    STEP_SECONDS,
    ListingRefresher,
)
from app.testing.clock import FakeClock
from tests.doubles.batch_source import Writes, commit
from tests.integration.store.conftest import Site, Worker

MAKE = """
with made as (
    insert into object (object_id, namespace, name, epoch, commit_seq)
    select gen_random_uuid(), 'notes', 'made-' || n, n, 1 from generate_series(1, $1::int) n
    returning object_id
)
insert into object_row select object_id, 'k', 'value' from made
"""
ROWS = """
insert into object_row
select $1, convert_to(lpad(n::text, 6, '0'), 'utf8'), 'vvvv' from generate_series(1, $2::int) n
"""
WAITING = "select from pg_stat_activity where wait_event_type = 'Lock' and state = 'active'"


async def sizes(database: Database) -> Mapping[str | None, tuple[int | None, int]]:
    """Size and commit number of each object of the list."""
    page = await PostgresObjectListing(database).page(ListingRequest(limit=1_000))
    assert page.after is None
    return {each.object_id.name: (each.size_bytes, each.commit_seq) for each in page.objects}


async def sums(database: Database) -> None:
    """The totals are what the lists add up to."""
    rows = await database.fetch(
        "select namespace, count(*) as objects, sum(size_bytes)::int8 as size_bytes, "
        "sum(row_count)::int8 as rows from object_listing group by namespace order by namespace"
    )
    expected = [NamespaceTotals(**dict(row)) for row in rows]
    assert await PostgresObjectListing(database).totals() == expected


async def write(worker: Worker, room: Writes, **entries: bytes | None) -> None:
    outcome = await commit(
        worker.committer, room, {key.encode(): value for key, value in entries.items()}
    )
    assert outcome.result is CommitResult.COMMITTED


async def test_what_a_worker_claims_commits_and_gives_up_is_listed_by_one_step(site: Site) -> None:
    worker = await site.worker()
    refresher = ListingRefresher(site.database, clock=(clock := FakeClock()))
    room, silent = await worker.room("a"), await worker.room("silent")
    await write(worker, room, k=b"123")
    assert await refresher.step() == 2
    assert await sizes(site.database) == {"a": (4, 1), "silent": (0, 0)}
    await worker.store.release(silent.claim)
    clock.advance(REST_SECONDS)
    assert await refresher.step() == 1
    assert await sizes(site.database) == {"a": (4, 1)}
    await sums(site.database)
    assert await refresher.step() == 0


async def test_an_object_that_commits_all_the_time_is_written_now_and_then(site: Site) -> None:
    worker = await site.worker()
    refresher = ListingRefresher(site.database, clock=(clock := FakeClock()))
    room = await worker.room("a")
    written = []
    for number in range(9):
        await write(worker, room, k=b"1" * number)
        written.append(await refresher.step())
        clock.advance(REST_SECONDS / 4)
    assert written == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    await write(worker, room, k=b"last")
    await refresher.step()
    clock.advance(REST_SECONDS)
    assert await refresher.step() == 1
    assert await sizes(site.database) == {"a": (5, 10)}


async def test_a_worker_that_stops_writes_what_rests_and_waits_for_no_database(site: Site) -> None:
    worker = await site.worker()
    refresher = ListingRefresher(site.database, clock=FakeClock())
    room = await worker.room("a")
    await write(worker, room, k=b"1")
    await refresher.step()
    await write(worker, room, k=b"last")
    await refresher.step()
    assert await sizes(site.database) == {"a": (2, 2)}
    assert refresher.waiting == 1
    await refresher.finish(seconds=60)
    assert await sizes(site.database) == {"a": (5, 2)}
    await write(worker, room, k=b"after")
    await site.database.fetch("alter table object_listing rename to elsewhere")
    await refresher.finish(seconds=60)
    await site.database.fetch("alter table elsewhere rename to object_listing")
    assert refresher.waiting == 1


async def test_a_step_is_bounded_and_forgets_nothing_when_it_fails(site: Site) -> None:
    worker = await site.worker()
    refresher = ListingRefresher(site.database)
    await write(worker, await worker.room("a"), k=b"1")
    await site.database.fetch(MAKE, STEP_OBJECTS + 9)
    for row in await site.database.fetch("select object_id from object"):
        site.database.changed.note(row["object_id"])
    await site.database.fetch("alter table object_listing rename to elsewhere")
    with pytest.raises(StateroomError):
        await refresher.step()
    await site.database.fetch("alter table elsewhere rename to object_listing")
    assert refresher.waiting == STEP_OBJECTS + 10
    assert [await refresher.step() for _ in range(3)] == [STEP_OBJECTS, 10, 0]
    await sums(site.database)


async def test_a_large_object_is_measured_in_pieces_and_seldom(site: Site) -> None:
    worker = await site.worker()
    refresher = ListingRefresher(site.database, clock=(clock := FakeClock()))
    rows = PIECE_ROWS + SMALL_ROWS
    room = await worker.room("a")
    await write(worker, room, first=b"1")
    await site.database.fetch(ROWS, room.claim.object_id.uuid, rows)
    assert await refresher.step() == 1
    assert await sizes(site.database) == {"a": (None, 1)}
    assert await refresher.measure_one_large() > 0
    assert await refresher.measure_one_large() == 0
    measured = 6 + 10 * rows
    assert await sizes(site.database) == {"a": (measured, 1)}
    await write(worker, room, second=b"22")
    clock.advance(REST_SECONDS)
    assert await refresher.step() == 1
    assert await refresher.measure_one_large() == 0
    assert await sizes(site.database) == {"a": (measured, 2)}
    clock.advance(rows * REST_OF_A_ROW_SECONDS)
    assert await refresher.step() == 1
    assert await refresher.measure_one_large() > 0
    assert await sizes(site.database) == {"a": (measured + 8, 2)}
    await sums(site.database)


async def test_a_large_object_does_not_wait_for_the_next_comparison(site: Site) -> None:
    worker = await site.worker()
    refresher = ListingRefresher(site.database, clock=(clock := FakeClock()))
    for _ in range(20):  # until nothing is left to compare for minutes
        pause = await refresher.step_beside()
        assert pause <= STEP_SECONDS
        clock.advance(pause)
    room = await worker.room("large")
    await site.database.fetch(ROWS, room.claim.object_id.uuid, SMALL_ROWS + 10)
    await write(worker, room, k=b"v")
    await refresher.step()
    await refresher.step_beside()
    assert await sizes(site.database) == {"large": (2 + 10 * (SMALL_ROWS + 10), 1)}


async def test_what_a_worker_had_noted_when_it_died_is_found_by_another(site: Site) -> None:
    worker = await site.worker()
    room, gone = await worker.room("a"), await worker.room("gone")
    await write(worker, gone, k=b"1")
    await ListingRefresher(site.database).step()
    await write(worker, room, k=b"123")
    await write(worker, gone, k=None)
    await worker.store.release(gone.claim)
    assert len(site.database.changed.take()) == 2  # the crash
    await site.database.fetch("update object_listing set sized_at = now() - interval '1 hour'")
    refresher = ListingRefresher(site.database)
    for _ in range(2):  # what is old or missing, then what is too much
        await refresher.compare()
    assert await refresher.step() == 2
    assert await sizes(site.database) == {"a": (4, 1)}
    await sums(site.database)


async def test_lists_of_a_database_that_had_none_are_made_part_by_part(site: Site) -> None:
    await site.database.fetch(MAKE, 3 * STEP_OBJECTS)
    refresher = ListingRefresher(site.database)
    written, steps = 0, 0
    while written < 3 * STEP_OBJECTS:
        await refresher.compare()
        written += await refresher.step()
        steps += 1
        assert steps < 12
    await refresher.compare()
    assert await refresher.step() == 0
    await sums(site.database)
    assert (await PostgresObjectListing(site.database).totals())[0].objects == 3 * STEP_OBJECTS


async def test_workers_that_write_the_same_entry_at_once_keep_the_sums(site: Site) -> None:
    worker = await site.worker()
    room = await worker.room("a")
    await write(worker, room, k=b"1")
    await ListingRefresher(site.database).step()
    other = await site.session()
    await other.execute("begin; update object_listing set size_bytes = 50")
    await other.execute("update namespace_total set size_bytes = 50")
    await write(worker, room, k=b"12345")
    step = asyncio.create_task(ListingRefresher(site.database).step())  # noqa: TID251 - a test's
    while not await site.database.fetch(WAITING):
        pass
    await other.execute("commit")
    assert await step == 1
    assert await sizes(site.database) == {"a": (6, 2)}
    await sums(site.database)


async def test_an_older_view_never_replaces_a_newer_one(site: Site) -> None:
    worker = await site.worker()
    room = await worker.room("a")
    await write(worker, room, k=b"1")
    await ListingRefresher(site.database).step()
    # Somebody has seen the object under its next owner, before we wrote what we saw earlier.
    await site.database.fetch("update object_listing set epoch = epoch + 1, size_bytes = 77")
    site.database.changed.note(room.claim.object_id.uuid)
    await ListingRefresher(site.database).step()
    (row,) = await site.database.fetch("select size_bytes from object_listing")
    assert row["size_bytes"] == 77
