"""What `core.ports` promises of workers that drain, and of the list of those that take rooms."""

import pytest

from app.core.errors import OwnedElsewhere, WorkerLeaving, WorkerSlotTaken
from app.core.ids import WorkerId
from app.core.values import LiveWorker
from tests.contract.worlds import ADDRESS, World, identity, live_worker


async def takes_rooms(world: World, worker_id: WorkerId) -> bool:
    found = [worker for worker in await world.workers.live() if worker.worker_id == worker_id]
    assert found in ([], [LiveWorker(worker_id=worker_id, address=ADDRESS)])
    return bool(found)


async def test_the_list_has_those_that_take_rooms_and_no_others(world: World) -> None:
    workers = [await live_worker(world) for _ in range(5)]
    assert all([await takes_rooms(world, worker_id) for worker_id in workers])
    await world.leases.retire(workers[1])
    await world.expire(workers[2])
    await world.leases.set_draining(workers[3], draining=True)
    listed = [await takes_rooms(world, worker_id) for worker_id in workers]
    assert listed == [True, False, False, False, True]


async def test_a_draining_worker_claims_nothing_until_it_is_live_again(world: World) -> None:
    worker_id = await live_worker(world)
    room = world.object_ids.from_name("notes", str(worker_id))
    assert await world.leases.set_draining(worker_id, draining=True)
    with pytest.raises(WorkerLeaving):
        await world.store.claim(room, worker_id)
    assert await world.leases.set_draining(worker_id, draining=False)
    assert (await world.store.claim(room, worker_id)).worker_id == worker_id
    assert await takes_rooms(world, worker_id)


async def test_a_draining_worker_keeps_its_lease_and_what_it_holds(world: World) -> None:
    who = identity(node="n")
    await world.leases.register(who, lease_seconds=60)
    room = world.object_ids.from_name("notes", str(who.worker_id))
    await world.store.claim(room, who.worker_id)
    assert await world.leases.set_draining(who.worker_id, draining=True)
    renewed = await world.leases.renew(who.worker_id, lease_seconds=60)
    assert renewed is not None
    assert renewed.draining
    await world.leases.set_draining(who.worker_id, draining=False)
    renewed = await world.leases.renew(who.worker_id, lease_seconds=60)
    assert renewed is not None
    assert not renewed.draining
    await world.leases.set_draining(who.worker_id, draining=True)
    other = await live_worker(world)
    with pytest.raises(OwnedElsewhere) as refused:
        await world.store.claim(room, other)
    assert (refused.value.worker_id, refused.value.address) == (who.worker_id, ADDRESS)
    with pytest.raises(WorkerSlotTaken):
        await world.leases.register(identity(node="n"), lease_seconds=60)


@pytest.mark.parametrize("end", ["retired", "expired"])
async def test_what_has_ended_neither_drains_nor_comes_back(world: World, end: str) -> None:
    worker_id = await live_worker(world)
    if end == "retired":
        await world.leases.retire(worker_id)
    else:
        await world.expire(worker_id)
    for draining in (True, False):
        assert not await world.leases.set_draining(worker_id, draining=draining)
    assert await world.leases.renew(worker_id, lease_seconds=60) is None
    assert not await takes_rooms(world, worker_id)


async def test_a_draining_worker_can_be_buried_and_its_objects_taken(world: World) -> None:
    who = identity(node="n", slot=3)
    await world.leases.register(who, lease_seconds=60)
    room = world.object_ids.from_name("notes", str(who.worker_id))
    await world.store.claim(room, who.worker_id)
    await world.leases.set_draining(who.worker_id, draining=True)
    assert await world.leases.bury(node="n", slot=3, boot_id="boot") == 1
    other = await live_worker(world)
    assert (await world.store.claim(room, other)).worker_id == other
