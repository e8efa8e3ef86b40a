"""Objects move from worker to worker on request, and off a worker that drains."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar

import pytest

from app.cluster.moving import Duty
from app.core.errors import (
    LinkBroken,
    ObjectFault,
    Overloaded,
    OwnedElsewhere,
    WorkerLeaving,
    WorkerNotLive,
)
from app.core.ids import WorkerId
from app.core.tasks import TaskOwner
from app.sdk import Connection, DurableObject, Request, Response
from app.testing.memory import MemoryDatabase
from tests.integration.cluster.workers import Worker

_tasks = TaskOwner("test")


class Counter(DurableObject):
    """Counts what it is told; a message may wait for the test."""

    gates: ClassVar[dict[str, asyncio.Event]] = {}
    poison: ClassVar[bool] = False

    async def on_start(self) -> None:
        if self.poison:
            raise RuntimeError("not here")
        if (gate := self.gates.get("start")) is not None:
            await gate.wait()
        self.count = await self.ctx.storage.get("count", 0)

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        if isinstance(message, str) and message.startswith("wait"):
            await self.gates[message].wait()
        self.count += 1
        self.ctx.storage.put("count", self.count)
        connection.send(str(self.count))

    async def on_request(self, request: Request) -> Response:
        self.count += 1
        self.ctx.storage.put("count", self.count)
        return Response(body=str(self.count))


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that other tasks bring about."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - other tasks bring it about
            await asyncio.sleep(0.005)  # noqa: TID251 - polls real sockets


async def ask(worker: Worker, name: str = "x") -> str:
    response, _ = await worker.locator.request(worker.object_id("c", name), Request())
    return (await response.read()).decode()


def holds(worker: Worker, name: str = "x") -> bool:
    return worker.object_id("c", name) in worker.registry


async def move(asked: Worker, to: Worker | None, name: str = "x") -> WorkerId:
    target = None if to is None else to.worker_id
    return await asked.mover.move(asked.object_id("c", name), target)


@pytest.fixture
async def trio() -> AsyncIterator[tuple[Worker, Worker, Worker]]:
    Counter.gates = {}
    Counter.poison = False
    database = MemoryDatabase()
    classes: dict[str, type[Any]] = {"c": Counter}
    async with (
        Worker(database, classes) as one,
        Worker(database, classes) as two,
        Worker(database, classes) as three,
    ):
        yield one, two, three
    await _tasks.close()


async def test_an_object_moves_with_its_content_and_its_clients_are_asked_to_come_back(
    trio: tuple[Worker, Worker, Worker],
) -> None:
    one, two, _ = trio
    socket = await one.connect("c", "x")
    socket.say("count")
    await until(lambda: socket.received == ["1"])
    assert await move(one, two) == two.worker_id
    assert socket.closed == (1012, "service restart")
    assert (holds(one), holds(two)) == (False, True)
    back = await one.connect("c", "x")
    back.say("count")
    await until(lambda: back.received == ["2"])
    assert not holds(one), "it is served over the link"


@pytest.mark.parametrize("asked", [0, 1, 2])
async def test_any_worker_can_be_asked_for_a_move(
    trio: tuple[Worker, Worker, Worker], asked: int
) -> None:
    one, two, _ = trio
    await ask(one)
    assert await move(trio[asked], two) == two.worker_id
    assert [holds(worker) for worker in trio] == [False, True, False]
    assert await ask(trio[asked]) == "2"


@pytest.mark.parametrize("asked", [0, 1, 2])
async def test_without_a_target_it_goes_to_another_worker_than_its_own(
    trio: tuple[Worker, Worker, Worker], asked: int
) -> None:
    one, _, _ = trio
    await ask(one)
    moved_to = await move(trio[asked], None)
    assert moved_to != one.worker_id
    assert [holds(worker) for worker in trio] == [worker.worker_id == moved_to for worker in trio]


async def test_an_object_that_nobody_holds_is_claimed_by_the_target(
    trio: tuple[Worker, Worker, Worker],
) -> None:
    one, two, three = trio
    assert await move(one, two) == two.worker_id
    assert await move(two, two) == two.worker_id
    assert await move(three, two) == two.worker_id
    assert [holds(worker) for worker in trio] == [False, True, False]


async def test_who_asks_while_an_object_moves_is_served_by_its_next_owner(
    trio: tuple[Worker, Worker, Worker],
) -> None:
    one, two, three = trio
    gate = Counter.gates["wait"] = asyncio.Event()
    socket = await one.connect("c", "x")
    socket.say("wait")
    moving = _tasks.start(move(one, two), name="move")
    room = next(iter(one.registry.rooms))
    await until(lambda: not room.open)
    asking = [_tasks.start(ask(worker), name="ask") for worker in (one, two, three)]
    gate.set()
    assert await moving == two.worker_id
    assert sorted(await asyncio.gather(*asking)) == ["2", "3", "4"]
    assert [holds(worker) for worker in trio] == [False, True, False]


async def test_a_target_that_does_not_take_objects_is_refused_and_nothing_moves(
    trio: tuple[Worker, Worker, Worker],
) -> None:
    one, two, three = trio
    socket = await one.connect("c", "x")
    await two.mover.drain_worker()
    with pytest.raises(WorkerNotLive):
        await move(one, two)
    with pytest.raises(WorkerNotLive):
        await move(three, two)
    await three.mover.drain_worker()
    with pytest.raises(WorkerNotLive):
        await one.mover.move(one.object_id("c", "x"))
    assert socket.closed is None
    socket.say("count")
    await until(lambda: socket.received == ["1"])


async def test_a_target_that_cannot_be_reached_is_found_out_before_anything_is_given_up(
    trio: tuple[Worker, Worker, Worker],
) -> None:
    one, two, _ = trio
    socket = await one.connect("c", "x")
    await two.links.close()
    with pytest.raises(LinkBroken):
        await move(one, two)
    assert socket.closed is None
    assert holds(one)


async def test_what_a_full_target_refuses_is_free_for_anybody(
    trio: tuple[Worker, Worker, Worker],
) -> None:
    one, two, three = trio
    await ask(one)
    two.registry._max_rooms = 0
    with pytest.raises(Overloaded):
        await move(one, two)
    assert not holds(one)
    assert await ask(three) == "2"
    assert holds(three)


async def test_an_object_that_does_not_start_at_its_target_says_so(
    trio: tuple[Worker, Worker, Worker],
) -> None:
    one, two, three = trio
    await ask(one)
    Counter.poison = True
    with pytest.raises(ObjectFault):
        await move(one, two)
    Counter.poison = False
    assert await ask(three) == "2"


async def test_two_moves_at_once_end_with_one_owner(trio: tuple[Worker, Worker, Worker]) -> None:
    one, two, three = trio
    await ask(one)
    moves = [
        _tasks.start(move(asked, to), name="move")
        for asked, to in ((one, two), (one, three), (two, three), (three, two))
    ]
    ends = await asyncio.gather(*moves, return_exceptions=True)
    assert all(isinstance(end, uuid.UUID | OwnedElsewhere) for end in ends), ends
    assert sum(holds(worker) for worker in trio) == 1
    assert await ask(one) == "2"


# -- draining --------------------------------------------------------------------------------------


async def test_two_moves_that_cross_do_not_wait_for_one_another(
    trio: tuple[Worker, Worker, Worker],
) -> None:
    one, other, third = trio
    assert await ask(one) == "1"
    gate = Counter.gates["start"] = asyncio.Event()
    there = _tasks.start(move(one, other), name="there")
    await until(lambda: holds(other))
    back = _tasks.start(move(other, one), name="back")
    await until(lambda: other.registry._leaving)
    gate.set()
    async with asyncio.timeout(10):
        await asyncio.wait([there, back])
        assert await ask(third) == "2"
    for outcome in (there.exception(), back.exception()):
        assert outcome is None or isinstance(outcome, OwnedElsewhere)
    assert sum(map(holds, trio)) == 1


async def test_a_draining_worker_gives_up_its_rooms_and_forwards_what_still_comes(
    trio: tuple[Worker, Worker, Worker],
) -> None:
    one, two, three = trio
    sockets = [await one.connect("c", f"room-{number}") for number in range(20)]
    await one.mover.drain_worker()
    assert one.mover.duty is Duty.DRAINING
    await until(lambda: one.mover.drained)
    assert {socket.closed for socket in sockets} == {(1012, "service restart")}
    back = await one.connect("c", "room-1")
    back.say("count")
    await until(lambda: back.received == ["1"])
    assert await ask(one, "never seen before") == "1"
    assert len(one.registry) == 0
    assert len(two.registry) + len(three.registry) == 2


async def test_everybody_forwards_an_object_to_the_same_worker(
    trio: tuple[Worker, Worker, Worker],
) -> None:
    one, two, three = trio
    await one.mover.drain_worker()
    await two.mover.drain_worker()
    for number in range(10):
        assert [await ask(worker, f"{number}") for worker in trio] == ["1", "2", "3"]
    assert len(three.registry) == 10


async def test_a_worker_whose_list_is_old_asks_the_next_one(
    trio: tuple[Worker, Worker, Worker],
) -> None:
    one, two, three = trio
    await one.mover.drain_worker()
    await ask(one)  # it has read the list
    await two.mover.drain_worker()
    for number in range(10):
        assert await ask(one, f"{number}") == "1"
    await until(lambda: two.mover.drained)
    assert all(holds(three, f"{number}") for number in range(10))


async def test_with_nobody_else_alive_new_rooms_are_refused_and_those_that_are_here_go_on(
    trio: tuple[Worker, Worker, Worker],
) -> None:
    one, two, three = trio
    gate = Counter.gates["wait"] = asyncio.Event()
    socket = await one.connect("c", "x")
    socket.say("wait")
    for worker in trio:
        await worker.mover.drain_worker()
    with pytest.raises(WorkerLeaving):
        await ask(one, "another")
    with pytest.raises(WorkerLeaving):
        await two.connect("c", "another")
    gate.set()
    await until(lambda: socket.received == ["1"])
    assert not holds(three)


async def test_workers_that_drain_in_turns_refuse_nothing(
    trio: tuple[Worker, Worker, Worker],
) -> None:
    """That everybody drained a moment ago is no reason to send anybody away."""
    one, two, three = trio
    for worker in trio:
        await worker.mover.drain_worker()
    with pytest.raises(WorkerLeaving):
        await ask(two)
    await one.mover.undrain()
    assert [await ask(two), await ask(three)] == ["1", "2"]
    assert holds(one)


async def test_a_worker_that_drains_no_more_takes_rooms_again(
    trio: tuple[Worker, Worker, Worker],
) -> None:
    one, two, three = trio
    await one.mover.drain_worker()
    await one.mover.drain_worker()
    await until(lambda: one.mover.drained)
    await one.mover.undrain()
    await one.mover.undrain()
    assert await ask(one) == "1"
    assert holds(one)
    assert await move(two, one, "another") == one.worker_id
    assert not len(two.registry) + len(three.registry)


async def test_what_a_draining_worker_threw_away_can_be_had_from_another(
    trio: tuple[Worker, Worker, Worker],
) -> None:
    one, two, _ = trio
    socket = await one.connect("c", "x")
    Counter.gates["wait"] = asyncio.Event()
    socket.say("wait")
    leaving = _tasks.start(one.mover.leave(deadline_seconds=0.05), name="leave")
    await leaving
    assert socket.closed == (1012, "worker_leaving")
    assert await ask(two) == "1"
    assert await ask(one) == "2"


async def test_a_worker_that_leaves_for_ever_does_not_come_back(
    trio: tuple[Worker, Worker, Worker],
) -> None:
    one, two, _ = trio
    socket = await one.connect("c", "x")
    await one.mover.leave(deadline_seconds=10)
    assert socket.closed == (1012, "service restart")
    with pytest.raises(WorkerLeaving):
        await one.mover.drain_worker()
    with pytest.raises(WorkerLeaving):
        await one.mover.undrain()
    assert one.mover.duty is Duty.LEAVING
    with pytest.raises(WorkerNotLive):
        await move(two, one)
    assert await ask(one) == "1", "what still comes is forwarded until the process ends"


async def test_a_drain_that_the_database_does_not_hear_of_does_not_begin(
    trio: tuple[Worker, Worker, Worker],
) -> None:
    one, _, _ = trio
    socket = await one.connect("c", "x")
    one.database.away = True
    with pytest.raises(Exception, match="database is away"):
        await one.mover.drain_worker()
    one.database.away = False
    assert one.mover.duty is Duty.SERVING
    assert socket.closed is None
    assert await ask(one, "new") == "1"
    assert holds(one, "new")
