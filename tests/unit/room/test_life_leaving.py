"""A room gives its object up in good order: events end, commits are made, sockets are closed."""

import asyncio

from app.core.errors import (
    RoomAborted,
)
from app.core.tasks import TaskOwner
from app.core.values import CommitResult
from app.room.states import RoomState
from app.sdk import Request
from app.testing.harness import ObjectHarness
from app.testing.sockets import MemorySocket
from tests.unit.room.objects import PlainCounter, Probe, Sleeper
from tests.unit.room.seen import closed, reading, state

tasks = TaskOwner("test")


async def test_leaving_waits_for_the_event_under_way_and_for_those_that_wait(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("sleeper", "a")
    alice.say("one")
    alice.say("two")
    await harness.settle()
    draining = tasks.start(harness.registry.drain(deadline_seconds=60), name="drain")
    await harness.settle()
    for wait in range(2):
        assert closed(alice) is None
        Sleeper.waits[wait].set_result(None)
        await harness.settle()
    await draining
    assert alice.take() == ["one", "two"]
    assert closed(alice) == (1012, "service restart")


async def test_what_a_client_says_to_a_leaving_room_is_not_heard_and_does_not_hold_it_up(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("plain", "a")
    harness.committer.hold()
    alice.say("count")
    draining = tasks.start(harness.registry.drain(deadline_seconds=60), name="drain")
    await harness.settle()
    room = harness.live_room("plain", "a")
    assert room is not None
    assert state(room) is RoomState.DRAINING
    assert not reading(alice)
    alice.say("count")
    alice.leave()
    await harness.settle()
    harness.committer.release()
    await draining
    assert harness.database.objects[room.object_id.uuid].commit_seq == 1


async def test_who_comes_while_an_idle_room_is_given_up_gets_the_next_one(
    harness: ObjectHarness,
) -> None:
    room = await harness.room("plain", "a")
    harness.registry._leave(room, draining=False)
    alice = await harness.connect("plain", "a")
    assert state(room) is RoomState.GONE
    alice.say("count")
    await harness.settle()
    assert alice.take() == ["1"]


async def test_a_room_that_got_something_to_do_meanwhile_is_not_given_up(
    harness: ObjectHarness,
) -> None:
    room = await harness.room("sleeper", "a")
    leaving = harness.registry._leave(room, draining=False)
    socket = MemorySocket()
    socket.attach(room.join(Request(), socket, "alice"))
    await leaving
    await harness.settle()
    assert state(room) is RoomState.ACTIVE
    assert closed(socket) is None


async def test_a_room_that_was_aborted_before_it_could_leave_is_not_disturbed(
    harness: ObjectHarness,
) -> None:
    room = await harness.room("plain", "a")
    leaving = harness.registry._leave(room)
    room.abort(RoomAborted())
    await leaving
    assert state(room) is RoomState.GONE


async def test_a_room_whose_last_commit_fails_is_aborted(harness: ObjectHarness) -> None:
    alice = await harness.connect("plain", "a")
    harness.committer.fail_next(CommitResult.LOST)
    harness.committer.hold()
    alice.say("count")
    draining = tasks.start(harness.registry.drain(deadline_seconds=60), name="drain")
    await harness.settle()
    harness.committer.release()
    await draining
    assert closed(alice) == (1012, "ownership_lost")


async def test_a_room_that_cannot_be_released_is_aborted_and_forgotten(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("plain", "a")
    harness.database.away = True
    await harness.registry.drain(deadline_seconds=60)
    harness.database.away = False
    assert closed(alice) == (1012, "service restart")
    assert len(harness.registry) == 0


async def test_a_transaction_that_is_never_ended_does_not_keep_a_room_from_leaving(
    harness: ObjectHarness,
) -> None:
    async def hold(self: Probe) -> None:
        async with self.ctx.storage.transaction():
            self.ctx.storage.put("key", 1)
            await asyncio.get_running_loop().create_future()

    Probe.hooks = {"connect": lambda self, *_: held.append(tasks.start(hold(self), name="hold"))}
    held: list[asyncio.Task[None]] = []
    await harness.connect("probe", "a")
    draining = tasks.start(harness.registry.drain(deadline_seconds=60), name="drain")
    await harness.settle()
    harness.clock.advance(30.0)  # as long as a transaction may take
    await draining
    assert len(harness.registry) == 0
    await tasks.close()


async def test_a_drain_over_its_deadline_aborts_what_is_left(harness: ObjectHarness) -> None:
    alice = await harness.connect("sleeper", "a")
    alice.say("one")
    await harness.settle()
    await harness.registry.drain(deadline_seconds=0.0)
    assert closed(alice) == (1012, "worker_leaving")
    assert len(harness.registry) == 0


async def test_a_sleeping_room_leaves_without_being_woken(harness: ObjectHarness) -> None:
    alice = await harness.connect("plain", "a")
    room = await harness.room("plain", "a")
    await room.hibernate()
    starts = PlainCounter.starts
    await harness.registry.drain(deadline_seconds=60)
    assert closed(alice) == (1012, "service restart")
    assert PlainCounter.starts == starts


async def test_a_room_that_is_thrown_away_while_it_leaves_is_gone_though_its_event_goes_on(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("sleeper", "a")
    alice.say("one")
    await harness.settle()
    room = await harness.room("sleeper", "a")
    leaving = harness.registry._leave(room)
    await harness.settle()
    room.abort(RoomAborted())
    await harness.settle()
    assert leaving.done()
    next_room = await harness.room("sleeper", "a")
    assert state(next_room) is RoomState.ACTIVE
    Sleeper.waits[0].set_result(None)
    await harness.settle()
    assert alice.take() == []
    assert harness.stored("sleeper", "a") == {}
