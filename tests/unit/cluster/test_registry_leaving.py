"""The registry gives rooms up: those that are idle, and all of them when the worker leaves."""

import asyncio
import uuid

import pytest

from app.core.errors import OwnedElsewhere, RoomAborted, WorkerLeaving
from app.core.ids import WorkerId
from app.core.tasks import TaskOwner
from app.core.values import LiveWorker
from app.sdk import Request
from tests.unit.cluster.slow_store import SlowHarness, ask_for_room, gather_rooms

_tasks = TaskOwner("test")


async def test_who_arrives_while_a_room_leaves_waits_and_gets_the_next_one(
    slow_harness: SlowHarness,
) -> None:
    alice = await slow_harness.connect("plain", "a")
    room = await slow_harness.room("plain", "a")
    slow_harness.committer.hold()
    alice.say("x")
    leaving = slow_harness.registry._leave(room)
    callers = [ask_for_room(slow_harness) for _ in range(3)]
    await slow_harness.settle()
    assert not any(caller.done() for caller in callers)
    assert slow_harness.object_id("plain", "a") in slow_harness.registry
    slow_harness.committer.release()
    await leaving
    rooms = await gather_rooms(callers)
    assert len({id(each) for each in rooms}) == 1
    assert rooms[0] is not room
    assert slow_harness.slow.claims == 2


async def test_a_room_that_leaves_while_its_caller_wakes_it_is_replaced_by_the_next(
    slow_harness: SlowHarness,
) -> None:
    room = await slow_harness.room("plain", "a")
    await room.hibernate()
    answering = _tasks.start(slow_harness.request("plain", "a", Request()), name="request")
    slow_harness.registry._leave(room)
    assert (await answering).body == "here"
    assert slow_harness.slow.claims == 2


async def test_a_drain_ends_rooms_that_are_only_just_opening_too(slow_harness: SlowHarness) -> None:
    await slow_harness.room("plain", "b")
    gate = slow_harness.slow.hold()
    waiting = ask_for_room(slow_harness, "a")
    await slow_harness.settle()
    draining = _tasks.start(slow_harness.registry.drain(deadline_seconds=60.0), name="drain")
    await slow_harness.settle()
    gate.set_result(None)
    with pytest.raises(WorkerLeaving):
        await waiting
    await draining
    assert len(slow_harness.registry) == 0
    assert slow_harness.database.objects == {}, "what was claimed is given up again"


async def test_a_draining_worker_takes_no_new_work(slow_harness: SlowHarness) -> None:
    await slow_harness.registry.drain(deadline_seconds=1.0)
    with pytest.raises(WorkerLeaving):
        await slow_harness.room("plain", "a")


async def test_one_room_that_takes_too_long_does_not_keep_the_others_from_leaving(
    slow_harness: SlowHarness,
) -> None:
    alice = await slow_harness.connect("plain", "a")
    bob = await slow_harness.connect("plain", "b")
    slow_harness.committer.hold()
    alice.say("never committed")
    await slow_harness.registry.drain(deadline_seconds=0.01)
    assert (alice.closed or (0,))[0] == 1012
    assert bob.closed == (1012, "service restart")
    assert len(slow_harness.registry) == 0


async def test_sweeping_lets_idle_rooms_rest_and_then_go(slow_harness: SlowHarness) -> None:
    kept = await slow_harness.connect("plain", "kept")
    await slow_harness.room("plain", "left")
    await slow_harness.advance(12.0)
    assert [room.awake for room in slow_harness.registry.rooms] == [False, False]
    await slow_harness.advance(60.0)
    assert [room.object_id.name for room in slow_harness.registry.rooms] == ["kept"]
    kept.leave()
    await slow_harness.advance(65.0)
    assert len(slow_harness.registry) == 0


async def test_an_event_starts_the_time_of_rest_anew(slow_harness: SlowHarness) -> None:
    socket = await slow_harness.connect("plain", "a")
    for _ in range(5):
        await slow_harness.advance(8.0)
        socket.say("still here")
    room = await slow_harness.room("plain", "a")
    assert room.awake


async def test_a_worker_that_stops_fails_those_who_wait_for_an_activation() -> None:
    async with SlowHarness() as harness:
        harness.slow.hold()
        waiting = ask_for_room(harness)
        await harness.settle()
        await harness.registry.close()
        with pytest.raises(WorkerLeaving):
            await waiting


async def test_a_room_that_is_aborted_again_and_again_is_not_looked_for_for_ever(
    slow_harness: SlowHarness,
) -> None:
    room = await slow_harness.room("plain", "a")
    slow_harness.registry._rooms[room.object_id.uuid] = room
    room.abort(RoomAborted())
    slow_harness.registry._rooms[room.object_id.uuid] = room  # it should be gone, and is not
    with pytest.raises(RoomAborted):
        await slow_harness.room("plain", "a")


async def test_who_waits_for_an_object_that_is_handed_over_is_told_its_next_owner(
    slow_harness: SlowHarness,
) -> None:
    await slow_harness.room("plain", "a")
    adopted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    next_owner = LiveWorker(worker_id=WorkerId(uuid.uuid4()), address="10.0.0.7:1")

    async def adopt() -> LiveWorker:
        await adopted
        return next_owner

    object_id = slow_harness.object_id("plain", "a")
    moving = _tasks.start(slow_harness.registry.hand_over(object_id, adopt), name="move")
    callers = [ask_for_room(slow_harness) for _ in range(2)]
    await slow_harness.settle()
    assert not any(caller.done() for caller in callers)
    assert object_id in slow_harness.registry
    adopted.set_result(None)
    assert await moving
    for error in await gather_rooms(callers):
        assert isinstance(error, OwnedElsewhere)
        assert (error.worker_id, error.address) == (next_owner.worker_id, "10.0.0.7:1")
    assert slow_harness.slow.claims == 1
    assert object_id not in slow_harness.registry


async def test_what_is_not_here_or_leaves_already_is_not_handed_over(
    slow_harness: SlowHarness,
) -> None:
    async def adopt() -> LiveWorker | None:
        raise AssertionError("there is nothing to adopt")

    object_id = slow_harness.object_id("plain", "a")
    assert not await slow_harness.registry.hand_over(object_id, adopt)
    slow_harness.registry._leave(await slow_harness.room("plain", "a"))
    assert not await slow_harness.registry.hand_over(object_id, adopt)
