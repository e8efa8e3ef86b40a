"""The registry gives rooms up: those that are idle, and all of them when the worker leaves."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.core.errors import OwnedElsewhere, RoomAborted, WorkerLeaving
from app.core.ids import WorkerId
from app.core.tasks import TaskOwner
from app.core.values import LiveWorker
from app.room.room import Room
from app.sdk import Request
from app.testing.harness import ObjectHarness
from tests.unit.cluster.slow_store import Plain, SlowHarness

_tasks = TaskOwner("test")


@pytest.fixture
async def harness() -> AsyncIterator[SlowHarness]:
    Plain.starts = 0
    Plain.fail = False
    async with SlowHarness() as made:
        yield made


def _room(harness: ObjectHarness, name: str = "a") -> "asyncio.Task[Room]":
    return _tasks.start(harness.room("plain", name), name="room")


async def _gather(tasks: list["asyncio.Task[Room]"]) -> list[Any]:
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_who_arrives_while_a_room_leaves_waits_and_gets_the_next_one(
    harness: SlowHarness,
) -> None:
    alice = await harness.connect("plain", "a")
    room = await harness.room("plain", "a")
    harness.committer.hold()
    alice.say("x")
    leaving = harness.registry._leave(room)
    callers = [_room(harness) for _ in range(3)]
    await harness.settle()
    assert not any(caller.done() for caller in callers)
    assert harness.object_id("plain", "a") in harness.registry
    harness.committer.release()
    await leaving
    rooms = await _gather(callers)
    assert len({id(each) for each in rooms}) == 1
    assert rooms[0] is not room
    assert harness.slow.claims == 2


async def test_a_room_that_leaves_while_its_caller_wakes_it_is_replaced_by_the_next(
    harness: SlowHarness,
) -> None:
    room = await harness.room("plain", "a")
    await room.hibernate()
    answering = _tasks.start(harness.request("plain", "a", Request()), name="request")
    harness.registry._leave(room)
    assert (await answering).body == "here"
    assert harness.slow.claims == 2


async def test_a_drain_ends_rooms_that_are_only_just_opening_too(harness: SlowHarness) -> None:
    await harness.room("plain", "b")
    gate = harness.slow.hold()
    waiting = _room(harness, "a")
    await harness.settle()
    draining = _tasks.start(harness.registry.drain(deadline_seconds=60.0), name="drain")
    await harness.settle()
    gate.set_result(None)
    with pytest.raises(WorkerLeaving):
        await waiting
    await draining
    assert len(harness.registry) == 0
    assert harness.database.objects == {}, "what was claimed is given up again"


async def test_a_draining_worker_takes_no_new_work(harness: SlowHarness) -> None:
    await harness.registry.drain(deadline_seconds=1.0)
    with pytest.raises(WorkerLeaving):
        await harness.room("plain", "a")


async def test_one_room_that_takes_too_long_does_not_keep_the_others_from_leaving(
    harness: SlowHarness,
) -> None:
    alice = await harness.connect("plain", "a")
    bob = await harness.connect("plain", "b")
    harness.committer.hold()
    alice.say("never committed")
    await harness.registry.drain(deadline_seconds=0.01)
    assert (alice.closed or (0,))[0] == 1012
    assert bob.closed == (1012, "service restart")
    assert len(harness.registry) == 0


async def test_sweeping_lets_idle_rooms_rest_and_then_go(harness: SlowHarness) -> None:
    kept = await harness.connect("plain", "kept")
    await harness.room("plain", "left")
    await harness.advance(12.0)
    assert [room.awake for room in harness.registry.rooms] == [False, False]
    await harness.advance(60.0)
    assert [room.object_id.name for room in harness.registry.rooms] == ["kept"]
    kept.leave()
    await harness.advance(65.0)
    assert len(harness.registry) == 0


async def test_an_event_starts_the_time_of_rest_anew(harness: SlowHarness) -> None:
    socket = await harness.connect("plain", "a")
    for _ in range(5):
        await harness.advance(8.0)
        socket.say("still here")
    room = await harness.room("plain", "a")
    assert room.awake


async def test_a_worker_that_stops_fails_those_who_wait_for_an_activation() -> None:
    async with SlowHarness() as harness:
        harness.slow.hold()
        waiting = _room(harness)
        await harness.settle()
        await harness.registry.close()
        with pytest.raises(WorkerLeaving):
            await waiting


async def test_a_room_that_is_aborted_again_and_again_is_not_looked_for_for_ever(
    harness: SlowHarness,
) -> None:
    room = await harness.room("plain", "a")
    harness.registry._rooms[room.object_id.uuid] = room
    room.abort(RoomAborted())
    harness.registry._rooms[room.object_id.uuid] = room  # it should be gone, and is not
    with pytest.raises(RoomAborted):
        await harness.room("plain", "a")


async def test_who_waits_for_an_object_that_is_handed_over_is_told_its_next_owner(
    harness: SlowHarness,
) -> None:
    await harness.room("plain", "a")
    adopted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    next_owner = LiveWorker(worker_id=WorkerId(uuid.uuid4()), address="10.0.0.7:1")

    async def adopt() -> LiveWorker:
        await adopted
        return next_owner

    object_id = harness.object_id("plain", "a")
    moving = _tasks.start(harness.registry.hand_over(object_id, adopt), name="move")
    callers = [_room(harness) for _ in range(2)]
    await harness.settle()
    assert not any(caller.done() for caller in callers)
    assert object_id in harness.registry
    adopted.set_result(None)
    assert await moving
    for error in await _gather(callers):
        assert isinstance(error, OwnedElsewhere)
        assert (error.worker_id, error.address) == (next_owner.worker_id, "10.0.0.7:1")
    assert harness.slow.claims == 1
    assert object_id not in harness.registry


async def test_what_is_not_here_or_leaves_already_is_not_handed_over(harness: SlowHarness) -> None:
    async def adopt() -> LiveWorker | None:
        raise AssertionError("there is nothing to adopt")

    object_id = harness.object_id("plain", "a")
    assert not await harness.registry.hand_over(object_id, adopt)
    harness.registry._leave(await harness.room("plain", "a"))
    assert not await harness.registry.hand_over(object_id, adopt)
