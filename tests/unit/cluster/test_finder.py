"""Looking for the owner of an object, on the twins and by a clock that the test moves."""

import asyncio

import pytest

from app.cluster.finder import OwnerFinder
from app.cluster.link import Link
from app.core.errors import OwnedElsewhere, WorkerLeaving
from app.core.tasks import TaskOwner
from app.room.room import Room
from app.testing.harness import ObjectHarness
from tests.unit.cluster.slow_store import Plain

_tasks = TaskOwner("test")


def _look(harness: ObjectHarness, *, patience_seconds: float) -> asyncio.Task[Room]:
    finder = OwnerFinder(harness.registry, clock=harness.clock, patience_seconds=patience_seconds)
    object_id = harness.object_id("plain", "a")

    async def here() -> Room:
        return await harness.registry.room(object_id)

    async def there(_link: Link) -> Room:
        raise AssertionError("there are no links")

    return _tasks.start(finder.reach(object_id, here, there), name="reach")


async def _owned_elsewhere(harness: ObjectHarness, *, lease_seconds: float) -> None:
    other = harness.database.add_worker(lease_seconds=lease_seconds)
    await harness.store.claim(harness.object_id("plain", "a"), other)


async def test_27_the_lease_of_a_dead_worker_is_waited_for_and_then_the_object_is_taken() -> None:
    async with ObjectHarness({"plain": Plain}) as harness:
        await _owned_elsewhere(harness, lease_seconds=2.0)
        looking = _look(harness, patience_seconds=4.0)
        await harness.advance(1.5)
        assert not looking.done()
        await harness.advance(1.0)
        assert (await looking).awake


async def test_the_wait_for_another_workers_object_ends() -> None:
    async with ObjectHarness({"plain": Plain}) as harness:
        await _owned_elsewhere(harness, lease_seconds=60.0)
        looking = _look(harness, patience_seconds=4.0)
        await harness.advance(3.5)
        assert not looking.done()
        await harness.advance(1.0)
        with pytest.raises(OwnedElsewhere):
            await looking


async def test_who_waits_for_another_workers_object_is_let_go_when_this_one_leaves() -> None:
    async with ObjectHarness({"plain": Plain}) as harness:
        await _owned_elsewhere(harness, lease_seconds=60.0)
        looking = _look(harness, patience_seconds=60.0)
        await harness.settle()
        draining = _tasks.start(harness.registry.drain(deadline_seconds=60.0), name="drain")
        await harness.advance(0.5)
        with pytest.raises(WorkerLeaving):
            await looking
        await draining
