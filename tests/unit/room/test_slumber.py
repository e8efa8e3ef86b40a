"""A hibernated room has no parts; nobody notices."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator

import pytest

from app.core.errors import LeaseLost, RoomAborted
from app.core.tasks import TaskOwner
from app.room.room import Room
from app.sdk import Connection
from app.testing.harness import ObjectHarness
from app.testing.memory import MemoryObjectStates
from tests.unit.room.alarmed import Alarmed, now
from tests.unit.room.lab import perform
from tests.unit.room.seen import awake, closed, state

_tasks = TaskOwner("test")


class Listening(Alarmed):
    """Counts what it hears, in storage."""

    event_timeout_seconds = None

    async def on_message(  # type: ignore[override]  # either may be
        self, connection: Connection, message: str | bytes
    ) -> None:
        count = int(await self.storage.get("count", 0)) + 1
        self.storage.put("count", count)
        connection.send(f"{count} {message!s}")

    def on_close(self, connection: Connection, code: int, reason: str, clean: bool) -> None:
        """Nothing to do, but it wants to hear it."""


class Quiet(Listening):
    """Is not woken by the end of a socket."""

    wakes_on_close = False


class Interleaving(Listening):
    """The same, its events among each other."""

    interleave = True


@pytest.fixture(params=[Listening, Interleaving])
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[ObjectHarness]:
    Alarmed.reset()
    async with ObjectHarness({"lab": request.param, "quiet": Quiet}) as opened:
        yield opened
    await _tasks.close()


def asleep(room: Room) -> bool:
    """Whether the room has no parts."""
    return room._slept is not None


async def bedded(harness: ObjectHarness) -> Room:
    """The object's room, put to sleep."""
    room = await harness.room("lab", "a")
    await room.hibernate()
    assert asleep(room)
    return room


async def test_a_room_that_hibernates_lets_its_parts_go_at_once_without_the_collector(
    harness: ObjectHarness,
) -> None:
    await harness.connect("lab", "a")
    room = await harness.room("lab", "a")
    part = weakref.ref(room.life)
    gc.collect()
    gc.disable()
    try:
        await room.hibernate()
        assert part() is None
    finally:
        gc.enable()


async def test_it_hears_the_next_message_and_goes_on_committing_where_it_stood(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("lab", "a")
    for number in range(1, 4):
        alice.say("hello")
        await harness.settle()
        assert alice.take() == [f"{number} hello"]
        room = await bedded(harness)
        assert not awake(room)
    (stored,) = harness.database.objects.values()
    assert stored.commit_seq == 3


async def test_the_sweep_puts_an_idle_room_to_sleep_and_lets_it_lie(harness: ObjectHarness) -> None:
    await harness.connect("lab", "a")
    room = await harness.room("lab", "a")
    await harness.advance(15.0)
    assert asleep(room)
    slept = room._slept
    await harness.advance(60.0)
    assert room._slept is slept


async def test_a_look_at_a_part_makes_it_and_the_next_sweep_puts_it_away(
    harness: ObjectHarness,
) -> None:
    await harness.connect("lab", "a")
    room = await bedded(harness)
    assert room.lane.clean
    assert (asleep(room), state(room).name) == (False, "HIBERNATED")
    await harness.advance(15.0)
    assert asleep(room)


async def test_what_people_are_told_of_a_room_counts_on_through_its_sleep(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("lab", "a")
    alice.say("hello")
    await harness.settle()
    room = await harness.room("lab", "a")
    before = room.steering.activity()
    await room.hibernate()
    after = room.steering.activity()
    assert (after.events, after.commits) == (before.events, before.commits) == (after.events, 1)


async def test_the_end_of_a_socket_wakes_no_room_whose_class_does_without(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("quiet", "a")
    await harness.connect("quiet", "a")
    room = await harness.room("quiet", "a")
    await room.hibernate()
    alice.leave()
    await harness.settle()
    assert (asleep(room), len(room.members)) == (True, 1)


async def test_the_end_of_a_socket_is_told_where_the_class_wants_to_hear_it(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("lab", "a")
    room = await bedded(harness)
    alice.leave()
    await harness.settle()
    assert (awake(room), len(room.members)) == (True, 0)


async def test_an_automatic_answer_outlives_the_parts_and_wakes_no_instance(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("lab", "a")
    await perform(harness, lambda lab: lab.ctx.set_auto_response("ping", "pong"))
    room = await bedded(harness)
    alice.say("ping")
    assert (alice.take(), awake(room)) == (["pong"], False)


async def test_a_time_limit_of_messages_outlives_the_parts(harness: ObjectHarness) -> None:
    await harness.connect("lab", "a")
    await perform(harness, lambda lab: lab.ctx.set_message_timeout(250))
    room = await bedded(harness)
    assert room._events.message_timeout_seconds == 0.25


async def test_a_frozen_object_is_frozen_after_its_sleep(harness: ObjectHarness) -> None:
    await harness.connect("lab", "a")
    room = await bedded(harness)
    states = MemoryObjectStates(harness.database)
    await room.life.freezing.set(lambda claim: states.set_frozen(claim, frozen=True), frozen=True)
    await harness.settle()
    room = await bedded(harness)
    assert room.lane.frozen


async def test_an_alarm_rings_in_a_room_that_slept(harness: ObjectHarness) -> None:
    await harness.connect("lab", "a")
    await perform(harness, lambda lab: lab.storage.set_alarm(now(harness) + 30_000))
    room = await bedded(harness)
    await harness.advance(31)
    assert len(Alarmed.runs) == 1
    assert room is await harness.room("lab", "a")


async def test_a_room_with_an_alarm_about_to_ring_does_not_sleep(harness: ObjectHarness) -> None:
    await harness.connect("lab", "a")
    room = await harness.room("lab", "a")
    bell = room.bell
    bell._rings += 1
    await room.hibernate()
    assert (state(room).name, asleep(room)) == ("HIBERNATED", False)
    bell._rings -= 1
    room.sleep()
    assert asleep(room)


async def test_a_room_whose_code_has_just_failed_does_not_sleep_the_fault_off(
    harness: ObjectHarness,
) -> None:
    await harness.connect("lab", "a")
    room = await harness.room("lab", "a")
    room._residence.fault()
    await room.hibernate()
    assert (state(room).name, asleep(room)) == ("HIBERNATED", False)


async def test_whoever_has_kept_a_part_finds_it_over_and_the_room_well(
    harness: ObjectHarness,
) -> None:
    await harness.connect("lab", "a")
    room = await harness.room("lab", "a")
    asking, lane = room.asking, room.lane
    await room.hibernate()
    with pytest.raises(RoomAborted):
        await asking.ask(lambda _: None)
    with pytest.raises(RoomAborted):
        await lane.commit_point()
    assert await room.asking.ask(lambda _: 7) == 7


async def test_who_waits_for_the_gate_keeps_the_parts(harness: ObjectHarness) -> None:
    await harness.connect("lab", "a")
    room = await harness.room("lab", "a")
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def mark(_claim: object) -> bool:
        reached.set()
        await go_on.wait()
        return True

    setting = _tasks.start(room.life.freezing.set(mark, frozen=True), name="freezing")
    await reached.wait()
    await room.hibernate()
    assert not asleep(room)
    go_on.set()
    await setting
    assert room.lane.frozen


async def test_a_sleeping_room_is_thrown_away_with_its_sockets(harness: ObjectHarness) -> None:
    alice = await harness.connect("lab", "a")
    room = await bedded(harness)
    room.abort(LeaseLost())
    assert closed(alice) is not None
    assert (state(room).name, len(harness.registry)) == ("GONE", 0)


async def test_a_sleeping_room_leaves_in_good_order(harness: ObjectHarness) -> None:
    alice = await harness.connect("lab", "a")
    room = await bedded(harness)
    await room.leave(draining=True)
    assert closed(alice) == (1012, "service restart")
    assert (state(room).name, len(harness.registry)) == ("GONE", 0)


async def test_a_room_without_that_attribute_says_so(harness: ObjectHarness) -> None:
    room = await harness.room("lab", "a")
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        room.nothing_of_the_kind  # type: ignore[attr-defined]  # noqa: B018 - that is the point
