"""What `core.ports.WorkerLeases` promises."""

import asyncio
from dataclasses import replace

import pytest

from app.core.errors import LeaseLost, OwnedElsewhere, WorkerSlotTaken
from app.core.values import WorkerIdentity
from tests.contract.worlds import World, identity, live_worker


async def register(world: World, who: WorkerIdentity) -> None:
    await world.leases.register(who, lease_seconds=60)


async def test_registration_and_renewal_tell_the_databases_time(world: World) -> None:
    who = identity()
    first = await world.leases.register(who, lease_seconds=60)
    second = await world.leases.renew(who.worker_id, lease_seconds=60)
    assert second is not None
    assert first.database_ms <= second.database_ms
    assert first.database_ms > 1_700_000_000_000


async def test_an_expired_lease_is_never_revived(world: World) -> None:
    worker_id = await live_worker(world)
    await world.expire(worker_id)
    assert await world.leases.renew(worker_id, lease_seconds=60) is None
    assert await world.leases.renew(worker_id, lease_seconds=60) is None


async def test_a_dead_worker_is_never_revived(world: World) -> None:
    worker_id = await live_worker(world)
    await world.leases.retire(worker_id)
    await world.leases.retire(worker_id)
    assert await world.leases.renew(worker_id, lease_seconds=60) is None


@pytest.mark.parametrize("end", ["retired", "expired", "buried"])
@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_worker_id_has_one_life(world: World, end: str, *, elsewhere: bool) -> None:
    who = identity(node="n", slot=1)
    await register(world, who)
    if end == "retired":
        await world.leases.retire(who.worker_id)
    elif end == "expired":
        await world.expire(who.worker_id)
    else:
        await world.leases.bury(node="n", slot=1, boot_id="boot")
    with pytest.raises(LeaseLost):
        await register(world, replace(who, slot=2) if elsewhere else who)
    assert await world.leases.renew(who.worker_id, lease_seconds=60) is None


async def test_a_registration_whose_answer_was_lost_may_be_repeated(world: World) -> None:
    who = identity(node="n", slot=1)
    await register(world, who)
    await register(world, who)
    assert await world.leases.renew(who.worker_id, lease_seconds=60) is not None
    with pytest.raises(LeaseLost):
        await register(world, replace(who, slot=2))


async def test_an_unknown_worker_has_no_lease(world: World) -> None:
    assert await world.leases.renew(identity().worker_id, lease_seconds=60) is None
    await world.leases.retire(identity().worker_id)


async def test_a_place_has_one_live_worker(world: World) -> None:
    await register(world, identity(node="n", slot=1))
    with pytest.raises(WorkerSlotTaken):
        await register(world, identity(node="n", slot=1))
    with pytest.raises(WorkerSlotTaken):
        await register(world, identity(node="n", slot=1, boot_id="another boot"))
    await register(world, identity(node="n", slot=2))
    await register(world, identity(node="m", slot=1))


async def test_of_two_registrations_at_once_one_is_refused(world: World) -> None:
    results = await asyncio.gather(
        *(register(world, identity(node="n", slot=1)) for _ in range(4)), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == [
        "NoneType",
        "WorkerSlotTaken",
        "WorkerSlotTaken",
        "WorkerSlotTaken",
    ]


@pytest.mark.parametrize("end", ["retired", "expired", "buried"])
async def test_a_place_is_free_when_its_worker_has_ended(world: World, end: str) -> None:
    before = identity(node="n", slot=1)
    await register(world, before)
    if end == "retired":
        await world.leases.retire(before.worker_id)
    elif end == "expired":
        await world.expire(before.worker_id)
    else:
        assert await world.leases.bury(node="n", slot=1, boot_id="boot") == 1
    await register(world, identity(node="n", slot=1))
    assert await world.leases.renew(before.worker_id, lease_seconds=60) is None


async def test_only_the_workers_of_the_same_place_and_boot_are_buried(world: World) -> None:
    others = [
        identity(node="m", slot=1),
        identity(node="n", slot=2),
        identity(node="n", slot=1, boot_id="another boot"),
    ]
    for who in others:
        await register(world, who)
    assert await world.leases.bury(node="n", slot=1, boot_id="boot") == 0
    for who in others:
        assert await world.leases.renew(who.worker_id, lease_seconds=60) is not None


async def test_burying_frees_the_objects_of_the_dead_at_once(world: World) -> None:
    who = identity(node="n", slot=1)
    await register(world, who)
    room = world.object_ids.from_name("notes", "room")
    await world.store.claim(room, who.worker_id)
    other = await live_worker(world)
    with pytest.raises(OwnedElsewhere):
        await world.store.claim(room, other)
    assert await world.leases.bury(node="n", slot=1, boot_id="boot") == 1
    assert await world.leases.bury(node="n", slot=1, boot_id="boot") == 0
    await world.store.claim(room, other)
