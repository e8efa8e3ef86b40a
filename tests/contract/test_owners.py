"""What `core.owners` promises: who holds an object, for those who only look."""

from app.core.values import LiveWorker
from tests.contract.worlds import ADDRESS, World, live_worker


async def test_the_holder_is_told_while_it_lives_draining_or_not(world: World) -> None:
    worker_id = await live_worker(world)
    room = world.object_ids.from_name("notes", str(worker_id))
    assert await world.owners.holder(room) is None
    assert not await world.known(room), "asking makes nothing"
    await world.store.claim(room, worker_id)
    expected = LiveWorker(worker_id=worker_id, address=ADDRESS)
    assert await world.owners.holder(room) == expected
    await world.leases.set_draining(worker_id, draining=True)
    assert await world.owners.holder(room) == expected


async def test_who_is_dead_or_has_lost_its_lease_holds_nothing(world: World) -> None:
    dead, late = [await live_worker(world) for _ in range(2)]
    rooms = [world.object_ids.from_name("notes", str(worker_id)) for worker_id in (dead, late)]
    for room, worker_id in zip(rooms, (dead, late), strict=True):
        await world.store.claim(room, worker_id)
    await world.leases.retire(dead)
    await world.expire(late)
    assert [await world.owners.holder(room) for room in rooms] == [None, None]
