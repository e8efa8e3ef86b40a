"""Objects on several workers call each other over real links."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from app.core.errors import (
    CallDeadlock,
    CallRefused,
    CallTimedOut,
    LeaseLost,
    LinkBroken,
    ObjectFault,
    OwnershipLost,
    RoomAborted,
    StateroomError,
)
from app.core.tasks import TaskOwner
from app.sdk import Request
from app.testing.memory import MemoryDatabase
from tests.integration.cluster.workers import Worker
from tests.unit.cluster.calling import Node, reset, start

_tasks = TaskOwner("test")
_LONG = 60.0  # nothing here may depend on how fast the machine is


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that other tasks bring about."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - real links bring it about
            await asyncio.sleep(0.005)  # noqa: TID251 - polls real links


@pytest.fixture
async def workers() -> AsyncIterator[list[Worker]]:
    """Three workers; the objects a, b and c live on the first, second and third."""
    reset()
    database = MemoryDatabase()
    async with AsyncExitStack() as stack:
        made = [await stack.enter_async_context(Worker(database, {"node": Node})) for _ in range(3)]
        for worker, name in zip(made, "abc", strict=True):
            await worker.registry.room(worker.object_id("node", name))
        yield made


def do(worker: Worker, name: str, step: str) -> "asyncio.Task[Any]":
    """Run a step as an event of an object, with time enough."""
    stub = worker.stubs.namespace("node").get_by_name(name, deadline_seconds=_LONG)
    return start(stub.do(step))


async def test_methods_and_requests_reach_an_object_at_another_worker(
    workers: list[Worker],
) -> None:
    stub = workers[0].stubs.stub("node", "b")
    assert await stub.add(2, twice=True) == 4
    assert await stub.total() == 4
    response = await stub.fetch(Request(method="PUT", path="/p", body=b"123"))
    assert (response.status, response.body) == (201, b'{"path":"/p","length":3}')
    assert len(workers[1].registry) == 1
    assert len(workers[0].registry) == 1


async def test_an_object_calls_one_at_another_worker(workers: list[Worker]) -> None:
    async def chain(node: Node) -> Any:
        node.ctx.storage.put("mine", 1)
        return await node.other("b").echo([1, {2}, b"3"])

    Node.steps = {"chain": chain}
    assert await do(workers[2], "a", "chain") == [1, {2}, b"3"]


async def test_an_exception_looks_the_same_over_a_link(workers: list[Worker]) -> None:
    stub = workers[0].stubs.stub("node", "b")
    with pytest.raises(ObjectFault, match="ValueError: no luck") as caught:
        await stub.fail("luck")
    error = caught.value
    assert (error.class_name, error.message, error.remote) == ("ValueError", "no luck", True)
    assert error.object_id == str(stub.id)
    with pytest.raises(ObjectFault) as own:
        await workers[0].stubs.stub("node", "c").fail("own")
    assert own.value.retryable


async def test_an_answer_that_fits_no_frame_ends_neither_the_link_nor_other_calls(
    workers: list[Worker],
) -> None:
    async def large(_node: Node) -> bytes:
        return bytes(33 << 20)

    Node.steps = {"large": large}
    Node.gates = {"gate": asyncio.Event()}
    other = start(workers[0].stubs.stub("node", "c").wait("gate"))
    await until(lambda: Node.log)
    with pytest.raises(CallRefused, match="limit"):
        await do(workers[0], "b", "large")
    Node.gates["gate"].set()
    assert await other == "gate"


async def test_calls_arrive_in_the_order_they_were_made_over_a_link(
    workers: list[Worker],
) -> None:
    stub = workers[0].stubs.stub("node", "b")
    made = [stub.note(str(number)) for number in range(100)]
    await asyncio.gather(*made)
    assert Node.log == [str(number) for number in range(100)]


@pytest.mark.parametrize("error", [RoomAborted, OwnershipLost, LeaseLost])
async def test_calls_keep_their_order_when_the_room_is_lost_with_them(
    workers: list[Worker], error: type[StateroomError]
) -> None:
    Node.gates = {"gate": asyncio.Event()}
    stub = workers[0].stubs.namespace("node").get_by_name("b", deadline_seconds=_LONG)
    running = start(stub.wait("gate"))
    await until(lambda: Node.log)
    waiting = [start(stub.note(str(number))) for number in range(50)]
    (room,) = workers[1].registry.rooms
    await until(lambda: len(room._parts.mailbox) == 50)
    room.abort(error())
    waiting += [start(stub.note(str(number))) for number in range(50, 100)]
    with pytest.raises(error):
        await running
    await asyncio.gather(*waiting)
    assert Node.log == ["waits gate", *(str(number) for number in range(100))]
    Node.gates["gate"].set()


async def test_a_call_that_waits_follows_its_object_to_the_next_owner(
    workers: list[Worker],
) -> None:
    Node.gates = {"gate": asyncio.Event()}
    stub = workers[0].stubs.namespace("node").get_by_name("b", deadline_seconds=_LONG)
    assert await stub.add(1) == 1
    (room,) = workers[1].registry.rooms
    leaving = _tasks.start(workers[1].registry.drain(deadline_seconds=_LONG), name="drain")
    calls = [start(stub.add(1)) for _ in range(20)]
    assert await asyncio.gather(*calls) == list(range(2, 22))
    await leaving
    assert room.state.name == "GONE"


async def test_a_broken_link_fails_the_call_at_once(workers: list[Worker]) -> None:
    Node.gates = {"gate": asyncio.Event()}
    calling = start(workers[0].stubs.stub("node", "b").wait("gate"))
    await until(lambda: Node.log)
    await workers[1].links.close()
    with pytest.raises(LinkBroken):
        await calling
    assert Node.log == ["waits gate"]
    Node.gates["gate"].set()


async def test_a_call_that_takes_too_long_over_a_link_frees_its_caller(
    workers: list[Worker],
) -> None:
    Node.gates = {"gate": asyncio.Event()}
    stub = workers[0].stubs.namespace("node").get_by_name("b", deadline_seconds=0.3)
    with pytest.raises(CallTimedOut):
        await stub.wait("gate")
    Node.gates["gate"].set()
    patient = workers[0].stubs.namespace("node").get_by_name("b", deadline_seconds=_LONG)
    assert await patient.total() == 0


async def test_a_call_back_to_the_caller_is_refused_at_once(workers: list[Worker]) -> None:
    async def forth(node: Node) -> Any:
        return await node.other("b").do("back")

    async def back(node: Node) -> str:
        try:
            await node.other("a").note("never")
        except CallDeadlock as error:
            return " ".join(error.ring)
        return "not refused"

    Node.steps = {"forth": forth, "back": back}
    assert await do(workers[0], "a", "forth") == "node/b node/a"
    assert Node.log == []


async def test_a_call_back_over_three_objects_is_refused(workers: list[Worker]) -> None:
    async def first(node: Node) -> Any:
        return await node.other("b").do("second")

    async def second(node: Node) -> Any:
        return await node.other("c").do("third")

    async def third(node: Node) -> str:
        try:
            await node.other("a").note("never")
        except CallDeadlock as error:
            return " ".join(error.ring)
        return "not refused"

    Node.steps = {"first": first, "second": second, "third": third}
    assert await do(workers[0], "a", "first") == "node/c node/a node/b"
    assert Node.log == []


def _ring(names: str, outcomes: dict[str, str]) -> list[str]:
    """Steps by which each object calls the next one once all of them run."""
    begun: set[str] = set()
    all_begun = asyncio.Event()

    def step(name: str, following: str) -> Any:
        async def call_next(node: Node) -> None:
            begun.add(name)
            if len(begun) == len(names):
                all_begun.set()
            await all_begun.wait()
            try:
                await node.other(following).note(f"from {name}")
                outcomes[name] = "answered"
            except CallDeadlock as error:
                outcomes[name] = f"refused: {len(error.ring)}"

        return call_next

    for index, name in enumerate(names):
        Node.steps[name] = step(name, names[(index + 1) % len(names)])
    return list(names)


@pytest.mark.parametrize("names", ["ab", "abc", "adbecf"])
async def test_of_objects_that_wait_in_a_ring_exactly_one_call_is_refused(
    workers: list[Worker], names: str
) -> None:
    for worker, name in zip(workers, "def", strict=True):
        await worker.registry.room(worker.object_id("node", name))
    outcomes: dict[str, str] = {}
    steps = _ring(names, outcomes)
    await asyncio.gather(*(do(workers[0], name, name) for name in steps))
    refused = [name for name, outcome in outcomes.items() if outcome != "answered"]
    assert len(refused) == 1
    assert outcomes[refused[0]] == f"refused: {len(names)}"
    assert sorted(Node.log) == sorted(f"from {name}" for name in names if name != refused[0])


async def test_an_object_that_waits_for_something_else_is_waited_for(
    workers: list[Worker],
) -> None:
    """Nothing is refused that only looks like a ring: the answer comes in the end."""
    Node.gates = {"gate": asyncio.Event()}

    async def patient(node: Node) -> Any:
        return await node.other("b").wait("gate")

    async def follower(node: Node) -> Any:
        return await node.other("a").echo("after all")

    Node.steps = {"patient": patient, "follower": follower}
    first = do(workers[0], "a", "patient")
    await until(lambda: Node.log)
    second = do(workers[2], "c", "follower")
    third = start(workers[2].stubs.stub("node", "b").echo("too"))
    await asyncio.sleep(2.5)  # noqa: TID251 - rounds of probes pass
    assert not first.done()
    Node.gates["gate"].set()
    results = await asyncio.gather(first, second, third)
    assert list(results) == ["gate", "after all", "too"]


async def test_a_sleeping_object_at_another_worker_is_woken_by_a_call(
    workers: list[Worker],
) -> None:
    stub = workers[0].stubs.stub("node", "b")
    await stub.add(5)
    (room,) = workers[1].registry.rooms
    await until(lambda: room.idle)
    await room.hibernate()
    assert not room.awake
    assert await stub.total() == 5
    assert room.awake


async def test_an_object_that_nobody_holds_is_made_where_it_is_called(
    workers: list[Worker],
) -> None:
    assert await workers[2].stubs.stub("node", "new").add(1) == 1
    assert await workers[0].stubs.stub("node", "new").add(1) == 2
    assert len(workers[2].registry) == 2


async def test_a_unique_object_is_reached_by_its_id_from_anywhere(workers: list[Worker]) -> None:
    here, there = (worker.stubs.namespace("node") for worker in workers[:2])
    object_id = here.new_unique_id()
    assert await here.get(object_id).add(1) == 1
    assert await there.get(there.id_from_string(str(object_id))).add(1) == 2


async def test_a_call_that_nobody_waits_for_any_more_does_not_begin_over_a_link(
    workers: list[Worker],
) -> None:
    Node.gates = {"gate": asyncio.Event()}
    running = start(workers[1].stubs.stub("node", "b").wait("gate"))
    await until(lambda: Node.log)
    (room,) = workers[1].registry.rooms
    brief = workers[0].stubs.namespace("node").get_by_name("b", deadline_seconds=0.2)
    with pytest.raises(CallTimedOut):
        await brief.note("vain")
    await until(lambda: len(room.asking._questions) == 1)
    Node.gates["gate"].set()
    assert await running == "gate"
    assert await workers[0].stubs.stub("node", "b").echo("last") == "last"
    assert Node.log == ["waits gate", "echo 'last'"]
    (link,) = workers[0].links._by_peer.values()
    assert link._protocol.streams == 0
