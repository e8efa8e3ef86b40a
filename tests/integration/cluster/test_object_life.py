"""Objects are frozen, deleted and evicted by any worker, wherever they live."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, ClassVar

import pytest

from app.cluster.purging import Purger
from app.core.errors import ObjectDeleted, ObjectFrozen, ObjectUnknown, WorkerNotLive
from app.core.ids import WorkerId
from app.core.tasks import TaskOwner
from app.core.worker_rows import WorkerState
from app.sdk import Connection, DurableObject, Request, Response
from app.testing.memory import MemoryDatabase, MemoryObjectStates
from tests.integration.cluster.workers import Worker

WEEK = 7 * 86_400.0
_tasks = TaskOwner("test")
Trio = tuple[Worker, Worker, Worker]


class Counter(DurableObject):
    """Counts; `read` alone changes nothing."""

    starts: ClassVar[int] = 0
    evicted: ClassVar[list[str]] = []
    gate: ClassVar[asyncio.Event | None] = None

    async def on_start(self) -> None:
        Counter.starts += 1
        self.count = await self.ctx.storage.get("count", 0)

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        if Counter.gate is not None:
            await Counter.gate.wait()
        if message == "count":
            self.count += 1
            self.ctx.storage.put("count", self.count)
        connection.send(f"{self.count} {'frozen' if self.ctx.frozen else 'thawed'}")

    async def on_request(self, request: Request) -> Response:
        if request.method == "POST":
            self.ctx.storage.put("count", self.count + 1)
            self.count += 1
        return Response(body=str(self.count))

    async def on_evict(self, reason: str) -> None:
        Counter.evicted.append(reason)


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that other tasks bring about."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - other tasks bring it about
            await asyncio.sleep(0.005)  # noqa: TID251 - polls real sockets


async def ask(worker: Worker, method: str = "GET") -> str:
    request = Request(method=method)
    response, _ = await worker.locator.request(worker.object_id("c", "x"), request)
    return (await response.read()).decode()


def holds(worker: Worker) -> bool:
    return worker.object_id("c", "x") in worker.registry


@pytest.fixture
async def trio() -> AsyncIterator[Trio]:
    Counter.starts = 0
    Counter.evicted = []
    Counter.gate = None
    database = MemoryDatabase()
    classes: dict[str, type[Any]] = {"c": Counter}
    async with (
        Worker(database, classes) as one,
        Worker(database, classes) as two,
        Worker(database, classes) as three,
    ):
        yield one, two, three
    await _tasks.close()


# -- frozen --------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [0, 1])
async def test_a_frozen_object_is_read_and_takes_no_changes_until_it_is_thawed(
    trio: Trio, asked: int
) -> None:
    one, two, _ = trio
    x = one.object_id("c", "x")
    assert await ask(one, "POST") == "1"
    reader = await two.connect("c", "x")
    state = await trio[asked].life.freeze(x, frozen=True)
    assert state.frozen_ms is not None
    for worker in trio:
        assert await ask(worker) == "1"
        with pytest.raises(ObjectFrozen):
            await ask(worker, "POST")
    writer = await one.connect("c", "x")
    writer.say("count")
    await until(lambda: writer.closed == (1013, "object_frozen"))
    reader.say("read")
    await until(lambda: reader.received == ["1 frozen"])
    assert reader.closed is None
    assert (await trio[asked].life.freeze(x, frozen=False)).frozen_ms is None
    reader.say("count")
    await until(lambda: reader.received == ["1 frozen", "2 thawed"])
    assert await ask(two, "POST") == "3"


async def test_frost_outlasts_moves_and_the_death_of_the_owner(trio: Trio) -> None:
    one, two, three = trio
    x = one.object_id("c", "x")
    await ask(one, "POST")
    await one.life.freeze(x, frozen=True)
    assert await one.life.move(x, two.worker_id) == two.worker_id
    with pytest.raises(ObjectFrozen):
        await ask(one, "POST")
    await two.kill()
    two.database.workers[two.worker_id].dead = True
    assert await ask(three) == "1"
    with pytest.raises(ObjectFrozen):
        await ask(three, "POST")
    await three.life.freeze(x, frozen=False)
    assert await ask(one, "POST") == "2"


async def test_freezing_waits_for_the_event_under_way_and_keeps_what_it_did(trio: Trio) -> None:
    one, two, _ = trio
    Counter.gate = asyncio.Event()
    socket = await one.connect("c", "x")
    socket.say("count")
    await until(lambda: Counter.starts)
    freezing = _tasks.start(two.life.freeze(one.object_id("c", "x"), frozen=True), name="freeze")
    room = one.registry.at_hand(one.object_id("c", "x"))
    assert room is not None
    gate = room.life._residence.sections.gate
    await until(lambda: gate.waiting)
    socket.say("count")
    Counter.gate.set()
    await freezing
    await until(lambda: socket.closed)
    assert socket.received == ["1 thawed"], "what came after it found the object frozen"
    assert socket.closed == (1013, "object_frozen")
    assert await ask(two) == "1"


async def test_nothing_is_started_to_freeze_or_delete_an_object_that_sleeps(trio: Trio) -> None:
    one, two, three = trio
    x = one.object_id("c", "x")
    await ask(one, "POST")
    assert await one.life.evict(x, close_sockets=True)
    assert Counter.starts == 1
    await two.life.freeze(x, frozen=True)
    await three.life.freeze(x, frozen=False)
    await one.life.delete(x, grace_seconds=WEEK)
    await one.life.undelete(x)
    assert Counter.starts == 1
    assert Counter.evicted == ["draining"]
    assert await ask(three) == "1"


# -- deleted -------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [0, 1, 2])
async def test_a_deleted_object_ends_its_sockets_and_can_be_undeleted(
    trio: Trio, asked: int
) -> None:
    one, two, three = trio
    x = one.object_id("c", "x")
    await ask(one, "POST")
    sockets = [await worker.connect("c", "x") for worker in trio]
    state = await trio[asked].life.delete(x, grace_seconds=WEEK)
    assert state.deleted_ms is not None
    for worker, socket in zip(trio, sockets, strict=True):
        await until(partial(getattr, socket, "closed"))
        assert socket.closed == (1000, "object_deleted")
        with pytest.raises(ObjectDeleted):
            await worker.connect("c", "x")
        with pytest.raises(ObjectDeleted):
            await ask(worker)
        with pytest.raises(ObjectDeleted):
            await worker.life.freeze(x, frozen=True)
        with pytest.raises(ObjectDeleted):
            await worker.life.activate(x)
    assert Counter.evicted == ["deleted"]
    assert not any(holds(worker) for worker in trio)
    assert (await two.life.undelete(x)).deleted_ms is None
    assert await ask(three) == "1"


async def test_what_is_deleted_again_is_purged_at_its_new_time_and_its_name_is_free(
    trio: Trio,
) -> None:
    one, two, _ = trio
    x = one.object_id("c", "x")
    await ask(one, "POST")
    epoch = one.database.objects[x.uuid].epoch
    await one.life.delete(x, grace_seconds=WEEK)
    purger = Purger(MemoryObjectStates(one.database), one.clock)
    assert await purger.purge_due() == 0
    assert not await purger.purge_now(x)
    await two.life.delete(x, grace_seconds=0.0)
    assert await purger.purge_now(x)
    with pytest.raises(ObjectUnknown):
        await one.life.undelete(x)
    assert await ask(two) == "0"
    assert one.database.objects[x.uuid].epoch > epoch


async def test_an_object_whose_purge_has_begun_does_not_come_back(trio: Trio) -> None:
    one, _, _ = trio
    x = one.object_id("c", "x")
    await ask(one, "POST")
    await one.life.delete(x, grace_seconds=0.0)
    await MemoryObjectStates(one.database).begin_purges(limit=1)
    with pytest.raises(ObjectDeleted):
        await one.life.undelete(x)


async def test_what_is_not_there_can_neither_be_frozen_nor_deleted_nor_started(
    trio: Trio,
) -> None:
    life, x = trio[0].life, trio[0].object_id("c", "x")
    for wish in (
        life.activate(x),
        life.freeze(x, frozen=True),
        life.delete(x, grace_seconds=1.0),
        life.undelete(x),
        life.evict(x, close_sockets=False),
        life.move(x, None),
    ):
        with pytest.raises(ObjectUnknown):
            await wish
    assert not trio[0].database.objects


# -- awake ---------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [0, 1])
async def test_an_evicted_object_keeps_its_sockets_unless_it_is_told_otherwise(
    trio: Trio, asked: int
) -> None:
    one, _, _ = trio
    x, life = one.object_id("c", "x"), trio[asked].life
    await ask(one, "POST")
    socket = await one.connect("c", "x")
    assert await life.evict(x, close_sockets=False)
    assert not await life.evict(x, close_sockets=False), "it sleeps"
    socket.say("count")
    await until(lambda: socket.received == ["2 thawed"])
    assert Counter.starts == 2
    assert await life.evict(x, close_sockets=True)
    assert socket.closed == (1012, "service restart")
    assert not holds(one)
    assert not await life.evict(x, close_sockets=True), "nobody holds it"


async def test_an_object_is_started_where_it_lives(trio: Trio) -> None:
    one, two, _ = trio
    x = one.object_id("c", "x")
    await ask(one, "POST")
    await two.life.evict(x, close_sockets=False)
    assert await two.life.activate(x) == one.worker_id
    assert Counter.starts == 2


# -- workers -------------------------------------------------------------------------------


async def test_any_worker_tells_of_all_and_drains_any(trio: Trio) -> None:
    one, two, three = trio
    await ask(one, "POST")
    await one.connect("c", "x")
    found = await two.workers.see(await two.workers.rows())
    seen = {worker.row.identity.worker_id: worker for worker in found}
    assert seen.keys() == {worker.worker_id for worker in trio}
    vitals = seen[one.worker_id].vitals
    assert vitals is not None
    assert (vitals.duty, vitals.rooms, vitals.awake, vitals.connections) == ("serving", 1, 1, 1)
    await two.workers.drain(one.worker_id)
    await until(lambda: one.mover.drained)
    drained = await three.workers.one(one.worker_id)
    assert drained is not None
    assert drained.vitals is not None
    assert (drained.row.state, drained.vitals.duty) == (WorkerState.DRAINING, "draining")
    assert await two.life.move(two.object_id("c", "x"), None) != one.worker_id
    await one.workers.undrain(one.worker_id)
    back = await three.workers.one(one.worker_id)
    assert back is not None
    assert back.row.state is WorkerState.LIVE


async def test_a_dead_worker_is_told_of_and_does_nothing(trio: Trio) -> None:
    one, two, _ = trio
    await two.kill()
    silent = await one.workers.one(two.worker_id)
    assert silent is not None
    assert (silent.row.state, silent.vitals) == (WorkerState.LIVE, None), "its lease runs"
    two.database.workers[two.worker_id].dead = True
    dead = await one.workers.one(two.worker_id)
    assert dead is not None
    assert dead.row.state is WorkerState.DEAD
    for worker_id in (two.worker_id, WorkerId(one.object_id("c", "x").uuid)):
        with pytest.raises(WorkerNotLive):
            await one.workers.drain(worker_id)
