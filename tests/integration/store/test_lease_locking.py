"""Leases when statements wait for one another: the clock counts after the wait, not before."""

import asyncio

import pytest

from app.core.errors import LeaseLost, OwnedElsewhere
from app.core.ids import WorkerId
from app.store.leases import END_EXPIRED_LEASE
from app.store.storage import CLAIM
from tests.contract.worlds import identity
from tests.integration.store.conftest import Site

LOCK = "select from worker where worker_id = $1 for update"


async def short_lease(site: Site, seconds: float) -> WorkerId:
    who = identity()
    await site.leases.register(who, lease_seconds=seconds)
    return who.worker_id


async def wait_until_blocked(site: Site) -> None:
    async with asyncio.timeout(10):
        while not await site.database.fetch(
            "select from pg_stat_activity where wait_event_type = 'Lock' and state = 'active'"
        ):
            pass


async def test_a_renewal_that_waited_past_the_lease_is_refused(site: Site) -> None:
    worker_id = await short_lease(site, 0.2)
    session = await site.session()
    async with session.transaction():
        await session.fetch(LOCK, worker_id)
        renewing = asyncio.get_running_loop().create_task(
            site.leases.renew(worker_id, lease_seconds=60)
        )
        await wait_until_blocked(site)
        await session.fetch("select pg_sleep(0.25)")
    assert await renewing is None


async def test_a_renewal_that_waited_within_the_lease_is_granted(site: Site) -> None:
    worker_id = await short_lease(site, 60)
    session = await site.session()
    async with session.transaction():
        await session.fetch(LOCK, worker_id)
        renewing = asyncio.get_running_loop().create_task(
            site.leases.renew(worker_id, lease_seconds=60)
        )
        await wait_until_blocked(site)
    assert await renewing is not None


async def test_a_worker_is_not_found_dead_when_its_renewal_was_in_flight(site: Site) -> None:
    worker_id = await short_lease(site, 0.1)
    session = await site.session()
    async with session.transaction():
        await session.fetch(
            "update worker set lease_expires_at = clock_timestamp() + interval '1 minute' "
            "where worker_id = $1",
            worker_id,
        )
        await session.fetch("select pg_sleep(0.15)")
        ending = asyncio.get_running_loop().create_task(
            site.database.fetch(END_EXPIRED_LEASE, worker_id)
        )
        await wait_until_blocked(site)
    await ending
    assert await site.leases.renew(worker_id, lease_seconds=60) is not None


async def test_a_renewal_that_meets_its_own_burial_is_refused(site: Site) -> None:
    worker_id = await short_lease(site, 60)
    session = await site.session()
    async with session.transaction():
        await session.fetch("update worker set state = 'dead' where worker_id = $1", worker_id)
        renewing = asyncio.get_running_loop().create_task(
            site.leases.renew(worker_id, lease_seconds=60)
        )
        await wait_until_blocked(site)
    assert await renewing is None


async def test_time_is_the_databases_and_runs_out_within_a_transaction(site: Site) -> None:
    """With `now()` the lease would still stand: a transaction's clock is stopped."""
    worker_id = await short_lease(site, 0.2)
    session = await site.session()
    async with session.transaction():
        await session.fetch("select pg_sleep(0.25)")
        tag = await session.execute(END_EXPIRED_LEASE.replace("$1", f"'{worker_id}'"))
    assert tag == "UPDATE 1"


async def test_a_claim_gives_up_on_a_row_that_stays_locked(site: Site) -> None:
    worker = await site.worker()
    writes = await worker.room("room")
    session = await site.session()
    async with session.transaction():
        await session.fetch(
            "select from object where object_id = $1 for update", writes.claim.object_id.uuid
        )
        with pytest.raises(OwnedElsewhere):
            await worker.store.claim(writes.claim.object_id, worker.worker_id)
    await worker.store.claim(writes.claim.object_id, worker.worker_id)


async def test_a_holder_that_registered_after_the_claims_snapshot_is_not_taken_for_missing(
    site: Site,
) -> None:
    """The claim is slowed down between its snapshot and its look at the rows, nowhere else."""
    first, late, third = await site.worker(), identity(), await site.worker()
    writes = await first.room("room")
    await site.leases.retire(first.worker_id)
    slow = CLAIM.replace(
        "select worker_id from worker\n", "select worker_id from worker, pg_sleep(0.3)\n", 1
    )
    assert slow != CLAIM
    session = await site.session()
    claiming = asyncio.get_running_loop().create_task(
        session.fetch(slow, writes.claim.object_id.uuid, third.worker_id, "notes", "room")
    )
    while not await site.database.fetch(
        "select from pg_stat_activity where wait_event = 'PgSleep'"
    ):
        assert not claiming.done()
    await site.leases.register(late, lease_seconds=60)
    await site.seize(writes, late.worker_id)
    assert not claiming.done()
    (row,) = await claiming
    assert row["epoch"] is None
    with pytest.raises(OwnedElsewhere):
        await third.store.claim(writes.claim.object_id, third.worker_id)


async def test_a_claim_by_a_worker_that_was_found_dead_meanwhile_is_refused(site: Site) -> None:
    worker = await site.worker()
    await site.leases.retire(worker.worker_id)
    object_id = site.database.object_ids.from_name("notes", "room")
    with pytest.raises(LeaseLost):
        await worker.store.claim(object_id, worker.worker_id)
