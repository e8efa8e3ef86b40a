"""The workers that take rooms, and which of them an object goes to."""

import asyncio
import uuid
from collections import Counter

import pytest

from app.cluster.peers import Peers, rendezvous
from app.core.clock import SystemClock
from app.core.errors import StoreUnavailable
from app.core.ids import ObjectId, ObjectIds, WorkerId
from app.core.values import LiveWorker
from app.testing.clock import FakeClock
from app.testing.memory import MemoryDatabase, MemoryWorkerList
from tests.unit.cluster.calling import start

IDS = ObjectIds(b"k" * 32)


class CountingList(MemoryWorkerList):
    """The twin, which counts how often it is read."""

    reads = 0
    pause: asyncio.Event | None = None

    async def live(self) -> list[LiveWorker]:
        self.reads += 1
        if self.pause is not None:
            await self.pause.wait()
        return await super().live()


class World:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.database = MemoryDatabase(self.clock)
        self.list = CountingList(self.database)
        self.own = self.database.add_worker()
        self.peers = Peers(self.list, clock=self.clock, own_id=lambda: self.own)


def objects(count: int) -> list[ObjectId]:
    return [IDS.from_name("notes", f"room-{number}") for number in range(count)]


def workers(count: int) -> list[LiveWorker]:
    return [LiveWorker(worker_id=WorkerId(uuid.uuid4()), address="") for _ in range(count)]


def test_objects_spread_over_the_workers() -> None:
    those = workers(4)
    chosen = Counter(rendezvous(object_id, those) for object_id in objects(2_000))
    assert len(chosen) == 4
    assert min(chosen.values()) > 350


def test_a_workers_end_moves_no_object_but_its_own() -> None:
    those = workers(4)
    for object_id in objects(200):
        before = rendezvous(object_id, those)
        after = rendezvous(object_id, [*reversed(those[1:])])
        assert after is not None
        assert after == before or before == those[0]


def test_of_nobody_nobody_is_chosen() -> None:
    assert rendezvous(objects(1)[0], []) is None


async def test_those_that_were_asked_in_vain_are_left_out() -> None:
    world = World()
    (object_id,) = objects(1)
    asked: set[WorkerId] = set()
    for _ in range(3):
        world.database.add_worker()
    for _ in range(4):
        chosen = await world.peers.choose(object_id, without=asked)
        assert chosen is not None
        asked.add(chosen.worker_id)
    assert asked == set(world.database.workers)
    assert await world.peers.choose(object_id, without=asked) is None


async def test_the_list_is_read_once_a_second() -> None:
    world = World()
    for object_id in objects(10):
        await world.peers.choose(object_id, without=())
    assert world.list.reads == 1
    world.clock.advance(1.0)
    await world.peers.choose(objects(1)[0], without=())
    assert world.list.reads == 2


async def test_that_there_is_nobody_is_never_said_from_memory() -> None:
    world = World()
    (object_id,) = objects(1)
    assert await world.peers.choose(object_id, without={world.own}) is None
    newcomer = world.database.add_worker()
    chosen = await world.peers.choose(object_id, without={world.own})
    assert chosen is not None
    assert chosen.worker_id == newcomer


async def test_all_who_find_nobody_at_once_share_one_look() -> None:
    world = World()
    world.list.pause = asyncio.Event()
    looking = [
        start(world.peers.choose(object_id, without={world.own})) for object_id in objects(50)
    ]
    await SystemClock().sleep(0)  # all of them ask
    world.clock.advance(0.01)
    world.list.pause.set()
    assert await asyncio.gather(*looking) == [None] * 50
    assert world.list.reads == 2


async def test_a_worker_that_has_just_come_is_found_by_its_id() -> None:
    world = World()
    assert await world.peers.get(WorkerId(uuid.uuid4())) is None
    newcomer = world.database.add_worker()
    found = await world.peers.get(newcomer)
    assert found is not None
    assert found.worker_id == newcomer


async def test_without_the_database_nobody_is_known() -> None:
    world = World()
    world.database.away = True
    with pytest.raises(StoreUnavailable):
        await world.peers.choose(objects(1)[0], without=())
    world.database.away = False
    assert await world.peers.choose(objects(1)[0], without=()) is not None
