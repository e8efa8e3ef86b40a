"""Looking for the owner of an object, on the twins and by a clock that the test moves."""

import asyncio
from typing import Any, cast

import pytest

from app.cluster.finder import OwnerFinder
from app.cluster.link import Link
from app.cluster.links import Links
from app.cluster.peers import Peers
from app.core.errors import OwnedElsewhere, WorkerLeaving
from app.core.ids import WorkerId
from app.core.tasks import TaskOwner
from app.core.values import LiveWorker
from app.room.room import Room
from app.testing.harness import ObjectHarness
from app.testing.memory import MemoryWorkerList
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


async def _draining_with_peers(harness: ObjectHarness, *others: WorkerId) -> asyncio.Task[Room]:
    """Look for an object at a worker that drains; the others have no address to be reached at."""
    finder = OwnerFinder(harness.registry, clock=harness.clock, patience_seconds=4.0)
    own_id = harness.membership.worker_id
    peers = Peers(MemoryWorkerList(harness.database), clock=harness.clock, own_id=lambda: own_id)
    links = Links(key=b"k" * 32, worker_id=lambda: own_id, clock=harness.clock)
    finder.use(links, peers)
    harness.registry.taking = False
    assert set(harness.database.workers) == {own_id, *others}
    object_id = harness.object_id("plain", "a")

    async def there(_link: Link) -> Room:
        raise AssertionError("nobody can be reached")

    return _tasks.start(
        finder.reach(object_id, lambda: harness.registry.room(object_id), there), name="reach"
    )


async def test_a_draining_worker_with_nobody_else_refuses_at_once() -> None:
    async with ObjectHarness({"plain": Plain}) as harness:
        looking = await _draining_with_peers(harness)
        await harness.settle()
        with pytest.raises(WorkerLeaving):
            looking.result()


async def test_a_draining_worker_asks_each_of_the_others_once_and_then_refuses() -> None:
    async with ObjectHarness({"plain": Plain}) as harness:
        others = [harness.database.add_worker() for _ in range(3)]
        looking = await _draining_with_peers(harness, *others)
        for _ in range(4):
            assert not looking.done()
            harness.clock.advance(0.1)
            await harness.settle()
        with pytest.raises(WorkerLeaving):
            looking.result()


class _OpenLinks(Links):
    """Everybody can be reached."""

    async def to(self, worker_id: WorkerId, address: str) -> Link:
        del worker_id, address
        return cast("Link", object())


async def test_who_was_leaving_when_it_was_asked_is_asked_again_once_it_has_come_back() -> None:
    """Both drain in turns; a question that was refused by one in the one's turn comes back."""
    async with ObjectHarness({"plain": Plain}) as harness:
        other = harness.database.add_worker()
        own_id = harness.membership.worker_id
        finder = OwnerFinder(harness.registry, clock=harness.clock, patience_seconds=4.0)
        links = _OpenLinks(key=b"k" * 32, worker_id=lambda: own_id, clock=harness.clock)
        worker_list = MemoryWorkerList(harness.database)
        finder.use(links, Peers(worker_list, clock=harness.clock, own_id=lambda: own_id))
        answers: list[Any] = [WorkerLeaving(), "taken"]
        asked = 0

        async def here() -> str:
            raise WorkerLeaving

        async def there(_link: Link) -> str:
            nonlocal asked
            asked += 1
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return str(answer)

        object_id = harness.object_id("plain", "a")
        finder.note(object_id, LiveWorker(worker_id=other, address="there"))
        looking = _tasks.start(finder.reach(object_id, here, there), name="reach")
        for _ in range(4):
            await harness.settle()
            harness.clock.advance(0.1)
        await harness.settle()
        assert (looking.result(), asked) == ("taken", 2)


async def test_rooms_that_are_still_here_are_served_while_the_worker_drains() -> None:
    async with ObjectHarness({"plain": Plain}) as harness:
        room = await harness.room("plain", "a")
        looking = await _draining_with_peers(harness)
        await harness.settle()
        assert looking.result() is room


class _Neighbour:
    """A worker of this machine that holds the object, as the finder knows it."""

    def __init__(self, harness: ObjectHarness, *, patience_seconds: float = 4.0) -> None:
        self.worker_id = harness.database.add_worker()
        own_id = harness.membership.worker_id
        self.finder = OwnerFinder(
            harness.registry, clock=harness.clock, patience_seconds=patience_seconds
        )
        links = _OpenLinks(key=b"k" * 32, worker_id=lambda: own_id, clock=harness.clock)
        worker_list = MemoryWorkerList(harness.database)
        self.finder.use(links, Peers(worker_list, clock=harness.clock, own_id=lambda: own_id))
        self.object_id = harness.object_id("plain", "a")
        self.finder.note(self.object_id, LiveWorker(worker_id=self.worker_id, address="there"))
        self.offers: list[WorkerId] = []

    async def find(self, answer: str | Exception | None) -> str:
        """Look for the object; `answer` is what becomes of the offer."""

        async def here() -> str:
            return "here"

        async def there(_link: Link) -> str:
            return "over a link"

        async def beside(holder: LiveWorker) -> str | None:
            self.offers.append(holder.worker_id)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return await self.finder.reach(self.object_id, here, there, beside)


async def test_a_holder_that_serves_without_a_link_is_asked_over_none() -> None:
    async with ObjectHarness({"plain": Plain}) as harness:
        neighbour = _Neighbour(harness)
        assert await neighbour.find("beside") == "beside"
        assert neighbour.offers == [neighbour.worker_id]


async def test_a_holder_that_cannot_serve_without_a_link_is_asked_over_one() -> None:
    async with ObjectHarness({"plain": Plain}) as harness:
        neighbour = _Neighbour(harness)
        assert await neighbour.find(None) == "over a link"
        assert neighbour.offers == [neighbour.worker_id]


async def test_an_object_that_its_holder_has_given_up_is_served_here_at_once() -> None:
    async with ObjectHarness({"plain": Plain}) as harness:
        neighbour = _Neighbour(harness)
        assert await neighbour.find(WorkerLeaving()) == "here"
        assert neighbour.offers == [neighbour.worker_id]


async def test_an_object_that_is_here_is_offered_to_nobody() -> None:
    async with ObjectHarness({"plain": Plain}) as harness:
        neighbour = _Neighbour(harness)
        await harness.room("plain", "a")
        assert await neighbour.find("beside") == "here"
        assert neighbour.offers == []


async def test_a_worker_that_drains_offers_a_socket_once_and_then_asks_over_a_link() -> None:
    async with ObjectHarness({"plain": Plain}) as harness:
        neighbour = _Neighbour(harness)
        offers = 0

        async def here() -> str:
            raise WorkerLeaving

        async def there(_link: Link) -> str:
            return "over a link"

        async def beside(_holder: LiveWorker) -> str | None:
            nonlocal offers
            offers += 1
            raise WorkerLeaving

        finder, object_id = neighbour.finder, neighbour.object_id
        looking = _tasks.start(finder.reach(object_id, here, there, beside), name="reach")
        for _ in range(4):
            await harness.settle()
            harness.clock.advance(0.2)
        await harness.settle()
        assert (looking.result(), offers) == ("over a link", 1)
