"""What the sweeper removes, what it leaves, and that it never takes an object from a claim."""

import asyncio
import random
from uuid import uuid4

import pytest

from app.core.errors import OwnedElsewhere
from app.core.ids import CommitSeq, Epoch, ObjectId, WorkerId
from app.core.values import Claim, CommitResult
from app.store.staging import PostgresStaging
from app.store.storage import CLAIM
from app.store.sweeping import (
    DEAD_WORKER_SECONDS,
    PASS_SECONDS,
    STAGED_SECONDS,
    STEP_BLOCKS,
    STEP_ROWS,
    STEP_SECONDS,
    SWEEP_OBJECTS,
    Sweeper,
)
from app.testing.clock import FakeClock
from tests.doubles.batch_source import Writes, commit
from tests.integration.store.conftest import Site, Worker

WHOLE_TABLE = ((0, 0), (1_000_000, 0), STEP_ROWS)
AGE = "update worker set lease_expires_at = clock_timestamp() - make_interval(secs => $2) "


async def age(site: Site, worker_id: WorkerId, seconds: float) -> None:
    """Let a worker's lease have run out that long ago."""
    await site.database.fetch(AGE + "where worker_id = $1", worker_id, seconds)


async def names_left(site: Site) -> set[str]:
    return {row["name"] for row in await site.database.fetch("select name from object")}


def object_id(site: Site, name: str) -> ObjectId:
    return site.database.object_ids.from_name("notes", name)


async def test_objects_that_never_committed_go_with_their_dead_holder_and_others_stay(
    site: Site,
) -> None:
    dead, live, silent = [await site.worker() for _ in range(3)]
    await dead.room("orphan")
    await commit(dead.committer, await dead.room("committed"), {b"a": b"1"})
    await live.room("held")
    await silent.room("held by one whose lease ran out and who is not marked dead")
    await site.leases.retire(dead.worker_id)
    await age(site, silent.worker_id, 5)
    await Sweeper(site.database).objects()
    assert await names_left(site) == {
        "committed",
        "held",
        "held by one whose lease ran out and who is not marked dead",
    }


async def test_workers_are_kept_for_a_day_after_their_end_and_their_objects_can_be_taken(
    site: Site,
) -> None:
    old, unmarked, recent, live = [await site.worker() for _ in range(4)]
    await commit(old.committer, await old.room("room"), {b"a": b"1"})
    await site.leases.retire(old.worker_id)
    await site.leases.retire(recent.worker_id)
    await age(site, old.worker_id, DEAD_WORKER_SECONDS + 60)
    await age(site, unmarked.worker_id, DEAD_WORKER_SECONDS + 60)
    await age(site, recent.worker_id, DEAD_WORKER_SECONDS - 60)
    assert await Sweeper(site.database).workers() == 2
    rows = await site.database.fetch("select worker_id from worker")
    assert {row["worker_id"] for row in rows} == {recent.worker_id, live.worker_id}
    assert await site.leases.renew(unmarked.worker_id, lease_seconds=60) is None
    claim = (await live.room("room")).claim
    assert dict((await live.store.load(claim, rows=1, size_bytes=9)).rows) == {b"a": b"1"}


async def test_objects_of_a_worker_whose_row_is_gone_are_swept_too(site: Site) -> None:
    gone = await site.worker()
    await gone.room("orphan")
    await age(site, gone.worker_id, DEAD_WORKER_SECONDS + 60)
    await Sweeper(site.database).workers()
    await Sweeper(site.database).objects()
    assert await names_left(site) == set()


async def test_a_claim_under_way_is_left_alone_and_holds_nothing_up(site: Site) -> None:
    former, next_one = await site.worker(), await site.worker()
    room = object_id(site, "room")
    await former.room("room")
    await site.leases.retire(former.worker_id)
    session = await site.session()
    transaction = session.transaction()
    await transaction.start()
    (row,) = await session.fetch(CLAIM, room.uuid, next_one.worker_id, "notes", "room")
    (swept,) = await site.database.fetch(SWEEP_OBJECTS, *WHOLE_TABLE)
    assert swept["swept"] == 0
    await transaction.commit()
    await is_good(next_one, row["epoch"], room)


async def test_a_claim_by_a_worker_that_came_after_the_sweep_had_begun_stays_valid(
    site: Site,
) -> None:
    """To the sweep's snapshot, the new holder of the row does not exist."""
    former = await site.worker()
    room = object_id(site, "room")
    await former.room("room")
    await site.leases.retire(former.worker_id)
    gate, sweeper = await site.session(), await site.session()
    await gate.execute("select pg_advisory_lock(77)")
    sweep = asyncio.get_running_loop().create_task(sweeper.fetch(WAITING_SWEEP, *WHOLE_TABLE))
    while not await gate.fetchval("select count(*) from pg_locks where not granted"):
        await gate.fetchval("select pg_sleep(0.01)")
    new = await site.worker()
    claim = (await new.room("room")).claim
    await gate.execute("select pg_advisory_unlock(77)")
    assert (await sweep)[0]["swept"] == 0
    await is_good(new, claim.epoch, room)


# Between what the statement sees and what it locks, it waits until somebody lets it go on.
WAITING_SWEEP = SWEEP_OBJECTS.replace(
    "), locked as materialized (",
    """), waited as materialized (
    select pg_advisory_xact_lock_shared(77) from (select count(*) from seen) s
), locked as materialized (""",
).replace("join seen on", "join waited on true join seen on")


async def is_good(worker: Worker, epoch: int, room: ObjectId) -> None:
    """The claim can be loaded, and what is written under it commits."""
    claim = Claim(
        object_id=room,
        worker_id=worker.worker_id,
        epoch=Epoch(epoch),
        commit_seq=CommitSeq(0),
    )
    await worker.store.load(claim, rows=1, size_bytes=1)
    outcome = await commit(worker.committer, Writes(claim), {b"a": b"1"})
    assert outcome.result is CommitResult.COMMITTED


async def test_claims_of_workers_that_come_and_die_stay_valid_while_sweepers_run(
    site: Site,
) -> None:
    """Every claim that was made is there and commits, or belongs to a worker that was buried."""
    chance = random.Random(4)
    stop = asyncio.Event()

    async def sweep() -> int:
        swept = 0
        while not stop.is_set():
            (row,) = await site.database.fetch(SWEEP_OBJECTS, *WHOLE_TABLE)
            swept += row["swept"]
        return swept

    async def one_hand(number: int) -> int:
        committed = 0
        for turn in range(12):
            worker = await site.worker()
            room = object_id(site, f"room-{chance.randrange(6)}")
            try:
                claim = await worker.store.claim(room, worker.worker_id)
            except OwnedElsewhere:
                continue
            if (number + turn) % 3 == 0:
                outcome = await commit(worker.committer, Writes(claim), {b"n": b"1"})
                assert outcome.result is CommitResult.COMMITTED
                committed += 1
                await site.database.fetch("delete from object where object_id = $1", room.uuid)
            await site.leases.retire(worker.worker_id)
        return committed

    sweeps = [asyncio.get_running_loop().create_task(sweep()) for _ in range(2)]
    committed = await asyncio.gather(*(one_hand(number) for number in range(4)))
    stop.set()
    swept = await asyncio.gather(*sweeps)
    assert sum(committed) > 0
    assert sum(swept) > 0


FILL = """
insert into object (object_id, namespace, epoch, worker_id)
select gen_random_uuid(), repeat('x', 200), n, $1 from generate_series(1, $2::int) n
"""


async def test_a_pass_goes_through_the_table_in_parts_and_rests_at_its_end(site: Site) -> None:
    await site.worker()
    dead = uuid4()
    await site.database.fetch(FILL, dead, 5000)
    clock = FakeClock()
    sweeper = Sweeper(site.database, clock=clock)
    pauses = []
    for _ in range(100):
        pauses.append(await sweeper.objects())
        if pauses[-1] == PASS_SECONDS:
            break
    assert len(pauses) > 5000 / STEP_ROWS
    assert set(pauses) == {STEP_SECONDS, PASS_SECONDS}
    assert await names_left(site) == set()
    (row,) = await site.database.fetch("select count(*) as left from object")
    assert row["left"] == 0


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
async def test_a_step_reads_its_part_of_the_table_and_no_more(site: Site, mode: str) -> None:
    session = await site.session()
    await session.fetch(FILL, uuid4(), 5000)
    await session.execute("analyze object")
    await session.execute(f"prepare sweep (tid, tid, int4) as {SWEEP_OBJECTS}")
    await session.execute(f"set plan_cache_mode = {mode}")
    rows = await session.fetch(f"explain execute sweep('(0,0)', '({STEP_BLOCKS},0)', {STEP_ROWS})")
    plan = "\n".join(row[0] for row in rows)
    assert "Tid Range Scan on object o" in plan
    assert "Seq Scan on object" not in plan


async def test_it_goes_on_by_itself_and_waits_out_an_absence_of_the_database(site: Site) -> None:
    clock = FakeClock()
    dead = await site.worker()
    await dead.room("orphan")
    await site.leases.retire(dead.worker_id)
    running = asyncio.get_running_loop().create_task(Sweeper(site.database, clock=clock).run())
    while await names_left(site):
        await site.database.fetch("select pg_sleep(0.01)")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_staged_rows_of_imports_that_were_given_up_go_after_a_day(site: Site) -> None:
    staging = PostgresStaging(site.database)
    old, young = uuid4(), uuid4()
    for each in (old, young):
        await staging.stage(each, [(b"k", b"v")])
    await site.database.fetch(
        "update import_row set staged_at = now() - make_interval(secs => $2) where staging_id = $1",
        old,
        float(STAGED_SECONDS + 60),
    )
    await Sweeper(site.database).staged()
    left = await site.database.fetch("select staging_id from import_row")
    assert [row["staging_id"] for row in left] == [young]
