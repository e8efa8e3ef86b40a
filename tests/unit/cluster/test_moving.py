"""Draining a worker and moving objects, on the twins (over links: tests/integration/cluster)."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.cluster.drain_mark import DrainMark
from app.cluster.finder import OwnerFinder
from app.cluster.links import Links
from app.cluster.moving import Duty, Mover
from app.cluster.pace import Pace
from app.cluster.peers import Peers
from app.core.errors import LeaseLost, StoreUnavailable, WorkerLeaving, WorkerNotLive
from app.core.ids import WorkerId
from app.core.tasks import TaskOwner
from app.testing.harness import ObjectHarness
from app.testing.memory import MemoryDatabase, MemoryWorkerLeases, MemoryWorkerList
from tests.unit.cluster.slow_store import Plain

_tasks = TaskOwner("test")


class World:
    """One worker in memory, with a mover."""

    def __init__(self, harness: ObjectHarness) -> None:
        self.harness = harness
        self.leases = MemoryWorkerLeases(harness.database)
        self.mover = self._mover()
        harness.registry._pace = Pace(rooms_per_second=20)

    def _mover(self) -> Mover:
        harness = self.harness

        def own_id() -> WorkerId:
            return harness.membership.worker_id

        peers = Peers(MemoryWorkerList(harness.database), clock=harness.clock, own_id=own_id)
        links = Links(key=b"k" * 32, worker_id=own_id, clock=harness.clock)
        finder = OwnerFinder(harness.registry, clock=harness.clock, patience_seconds=4.0)
        finder.use(links, peers)
        return Mover(
            registry=harness.registry,
            membership=harness.membership,
            leases=self.leases,
            peers=peers,
            links=links,
            finder=finder,
            clock=harness.clock,
        )

    @property
    def marked(self) -> bool:
        """Whether the worker's row says that it drains."""
        return self.harness.database.workers[self.harness.membership.worker_id].draining

    async def fill(self, rooms: int) -> None:
        for number in range(rooms):
            await self.harness.room("plain", f"{number}")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    Plain.fail = False
    async with ObjectHarness({"plain": Plain}) as harness:
        made = World(harness)
        yield made
        await made.mover.close()


async def test_a_drain_on_request_takes_its_time_and_keeps_to_it(world: World) -> None:
    await world.fill(50)
    await world.mover.drain_worker()
    assert (world.mover.duty, world.marked, world.mover.drained) == (Duty.DRAINING, True, False)
    await world.harness.settle()
    await world.harness.advance(1.0)
    assert 15 <= len(world.harness.registry) <= 25
    await world.harness.advance(2.0)
    assert world.mover.drained
    assert world.harness.membership.holds(), "the lease goes on"


async def test_undraining_keeps_the_rooms_that_have_not_begun_to_leave(world: World) -> None:
    await world.fill(50)
    await world.mover.drain_worker()
    await world.harness.advance(0.5)
    left = len(world.harness.registry)
    assert 0 < left < 50
    await world.mover.undrain()
    await world.harness.advance(5.0)
    assert len(world.harness.registry) == left
    assert (world.mover.duty, world.marked) == (Duty.SERVING, False)
    await world.harness.room("plain", "new")


async def test_a_claim_that_met_the_end_of_a_drain_is_made_again(world: World) -> None:
    """The database answers what was so when it looked; who undrains then refuses nobody."""
    worker = world.harness.database.workers[world.harness.membership.worker_id]
    worker.draining = True  # what a mark says that another one has overtaken
    opening = _tasks.start(world.harness.room("plain", "new"), name="open")
    await world.harness.advance(0.5)
    assert not opening.done()
    worker.draining = False
    await world.harness.advance(0.1)
    assert opening.result().open


async def test_a_row_that_says_for_long_that_we_drain_is_believed(world: World) -> None:
    worker = world.harness.database.workers[world.harness.membership.worker_id]
    worker.draining = True
    opening = _tasks.start(world.harness.room("plain", "new"), name="open")
    await world.harness.advance(5.0)
    with pytest.raises(WorkerLeaving):
        opening.result()


class _SlowLeases(MemoryWorkerLeases):
    """Marks wait for the test, which sees them come in their order."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.gate = asyncio.Event()
        self.under_way = 0
        self.most_at_once = 0

    async def set_draining(self, worker_id: WorkerId, *, draining: bool) -> bool:
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        await self.gate.wait()
        self.under_way -= 1
        return await super().set_draining(worker_id, draining=draining)


async def test_the_row_says_what_was_said_last(world: World) -> None:
    leases = _SlowLeases(world.harness.database)
    mark = DrainMark(leases, world.harness.membership, world.harness.clock)
    draining = True
    keeping = _tasks.start(mark.keep(lambda: draining), name="keep")
    await world.harness.advance(1.5)
    draining = False
    saying = _tasks.start(mark.say(draining=False), name="say")
    await world.harness.settle()
    leases.gate.set()
    await saying
    assert (world.marked, leases.most_at_once) == (False, 1)
    keeping.cancel()


async def test_another_life_of_a_draining_worker_drains_too(world: World) -> None:
    await world.mover.drain_worker()
    before = world.harness.membership.worker_id
    await world.leases.retire(before)
    await world.harness.advance(5.0)
    assert world.harness.membership.worker_id != before
    assert world.marked
    with pytest.raises(WorkerLeaving):
        await world.harness.room("plain", "a")
    await world.mover.undrain()
    await world.harness.room("plain", "a")


async def test_a_drain_the_database_does_not_hear_of_does_not_begin_nor_end(world: World) -> None:
    world.harness.database.away = True
    with pytest.raises(StoreUnavailable):
        await world.mover.drain_worker()
    assert world.mover.duty is not Duty.DRAINING
    world.harness.database.away = False
    await world.harness.room("plain", "a")
    await world.mover.drain_worker()
    world.harness.database.away = True
    with pytest.raises(StoreUnavailable):
        await world.mover.undrain()
    world.harness.database.away = False
    with pytest.raises(WorkerLeaving):
        await world.harness.room("plain", "b")


async def test_who_asks_for_a_drain_while_one_begins_is_told_how_that_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = asyncio.Event()

    async def unanswered(*_arguments: object, **_options: object) -> bool:
        await answered.wait()
        raise StoreUnavailable

    monkeypatch.setattr(world.leases, "set_draining", unanswered)
    asking = [_tasks.start(world.mover.drain_worker(), name="drain") for _ in range(2)]
    await world.harness.settle()
    assert not any(each.done() for each in asking)
    answered.set()
    for each in asking:
        with pytest.raises(StoreUnavailable):
            await each
    assert world.mover.duty is Duty.SERVING
    await world.harness.room("plain", "a")


async def test_leaving_for_ever_does_not_wait_for_the_database_to_hear_of_it(world: World) -> None:
    await world.fill(3)
    world.harness.database.away = True
    leaving = _tasks.start(world.mover.leave(deadline_seconds=60), name="leave")
    await world.harness.settle()
    assert leaving.done()
    assert world.mover.duty is Duty.LEAVING
    world.harness.database.away = False
    for again in (world.mover.drain_worker, world.mover.undrain):
        with pytest.raises(WorkerLeaving):
            await again()


async def test_leaving_ends_a_drain_on_request(world: World) -> None:
    await world.fill(50)
    await world.mover.drain_worker()
    leaving = _tasks.start(world.mover.leave(deadline_seconds=60), name="leave")
    await world.harness.advance(5.0)
    assert leaving.done()
    assert len(world.harness.registry) == 0


async def test_an_object_stays_when_there_is_nobody_to_move_it_to(world: World) -> None:
    socket = await world.harness.connect("plain", "a")
    object_id = world.harness.object_id("plain", "a")
    with pytest.raises(WorkerNotLive):
        await world.mover.move(object_id)
    with pytest.raises(WorkerNotLive):
        await world.mover.move(object_id, world.harness.database.add_worker(lease_seconds=0))
    assert socket.closed is None


async def test_an_object_can_be_moved_to_where_it_is(world: World) -> None:
    own_id = world.harness.membership.worker_id
    object_id = world.harness.object_id("plain", "a")
    assert await world.mover.move(object_id, own_id) == own_id
    room = await world.harness.room("plain", "a")
    assert await world.mover.move(object_id, own_id) == own_id
    assert room.open


async def test_without_a_lease_an_object_goes_nowhere(world: World) -> None:
    object_id = world.harness.object_id("plain", "a")
    own_id = world.harness.membership.worker_id
    await world.mover.move(object_id, own_id)
    world.harness.clock.advance(10.0)
    with pytest.raises((LeaseLost, WorkerNotLive)):
        await world.mover.move(world.harness.object_id("plain", "b"), own_id)


async def test_a_mark_that_is_applied_after_it_was_taken_back_is_taken_back_again(
    world: World,
) -> None:
    await world.mover.drain_worker()
    await world.mover.undrain()
    await world.leases.set_draining(world.harness.membership.worker_id, draining=True)  # late
    opening = _tasks.start(world.harness.room("plain", "a"), name="open")
    await world.harness.settle()
    assert not opening.done()
    await world.harness.advance(3.0)
    assert not world.marked
    assert opening.result().awake
