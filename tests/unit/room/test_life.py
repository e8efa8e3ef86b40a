"""Rest and ends of a room: hibernation, eviction, draining, aborts, starts that fail."""

import asyncio

import pytest

from app.core.errors import (
    LeaseLost,
    ObjectFault,
    RoomAborted,
)
from app.core.storage_codec import decode_value
from app.core.tasks import TaskOwner
from app.room.states import RoomState
from app.sdk import Connection
from app.testing.harness import ObjectHarness
from tests.unit.room.objects import Counter, PlainCounter, Probe, Script, Sleeper
from tests.unit.room.seen import awake, closed, state

tasks = TaskOwner("test")


async def test_an_idle_object_hibernates_keeps_its_sockets_and_wakes_unnoticed(
    harness: ObjectHarness, namespace: str
) -> None:
    alice = await harness.connect(namespace, "a")
    alice.say("count")
    await harness.settle()
    room = await harness.room(namespace, "a")
    await harness.advance(8.0)
    assert state(room) is RoomState.ACTIVE
    await harness.advance(5.0)
    assert state(room) is RoomState.HIBERNATED
    assert not awake(room)
    alice.say("count")
    await harness.settle()
    assert alice.take() == ["1", "2"]
    assert closed(alice) is None
    assert state(room) is RoomState.ACTIVE


async def test_an_idle_object_without_sockets_is_released_and_found_again(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("plain", "a")
    alice.say("count")
    await harness.settle()
    alice.leave()
    await harness.advance(75.0)
    assert len(harness.registry) == 0
    again = await harness.connect("plain", "a")
    again.say("count")
    await harness.settle()
    assert again.take() == ["2"]


async def test_an_object_that_stored_nothing_leaves_no_row_behind(harness: ObjectHarness) -> None:
    alice = await harness.connect("plain", "a")
    alice.say("ping")
    alice.leave()
    await harness.advance(75.0)
    assert harness.database.objects == {}


async def test_many_callers_of_a_sleeping_object_start_it_once(harness: ObjectHarness) -> None:
    sockets = await asyncio.gather(*(harness.connect("plain", "a") for _ in range(20)))
    assert PlainCounter.starts == 1
    assert len(sockets) == 20


async def test_a_start_that_fails_fails_its_caller_and_the_next_one_tries_again() -> None:
    class Faulty(Counter):
        failures = 1

        async def on_start(self) -> None:
            if type(self).failures:
                type(self).failures -= 1
                raise RuntimeError("not yet")
            await super().on_start()

    async with ObjectHarness({"faulty": Faulty}) as harness:
        with pytest.raises(ObjectFault, match="not yet"):
            await harness.room("faulty", "a")
        alice = await harness.connect("faulty", "a")
        alice.say("count")
        await harness.settle()
        assert alice.take() == ["1"]


async def test_draining_commits_closes_the_sockets_and_gives_the_object_up(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("plain", "a")
    harness.committer.hold()
    alice.say("count")
    draining = asyncio.ensure_future(harness.registry.drain(deadline_seconds=5))  # noqa: TID251 - the test owns it
    await harness.settle()
    assert closed(alice) is None
    harness.committer.release()
    await draining
    assert alice.take() == ["1"]
    assert closed(alice) == (1012, "service restart")
    object_row = harness.database.objects[harness.object_id("plain", "a").uuid]
    assert object_row.worker_id is None
    with pytest.raises(Exception, match="takes no new work"):
        await harness.room("plain", "b")


async def test_an_abort_by_the_object_itself_closes_its_sockets_and_loses_the_unit(
    harness: ObjectHarness,
) -> None:
    async def step(self: Script, connection: Connection) -> None:
        self.ctx.storage.put("key", 1)
        try:
            self.ctx.abort("enough")
        except Exception:  # noqa: BLE001 - the point: it is not caught here
            connection.send("caught")

    Script.steps = {"go": step}
    alice = await harness.connect("script", "a")
    alice.say("go")
    await harness.settle()
    assert alice.take() == []
    assert closed(alice) == (1012, "room_aborted")
    assert harness.stored("script", "a") == {}


async def test_a_room_that_is_over_takes_no_more_sockets(harness: ObjectHarness) -> None:
    room = await harness.room("plain", "a")
    room.abort(RoomAborted())
    assert state(room) is RoomState.GONE
    assert len(harness.registry) == 0
    alice = await harness.connect("plain", "a")
    assert closed(alice) is None


async def test_timers_run_as_events_and_keep_the_object_awake(harness: ObjectHarness) -> None:
    async def step(self: Script, connection: Connection) -> None:
        self.ctx.call_later(20.0, lambda: connection.send("tick"))

    Script.steps = {"go": step}
    alice = await harness.connect("script", "a")
    alice.say("go")
    room = await harness.room("script", "a")
    await harness.advance(19.0)
    assert alice.take() == []
    assert awake(room)
    await harness.advance(2.0)
    assert alice.take() == ["tick"]


# -- on_evict ----------------------------------------------------------------------------------


async def test_an_object_hears_why_its_instance_is_dropped_and_may_still_write(
    harness: ObjectHarness,
) -> None:
    reasons: list[str] = []

    def evict(self: Probe, reason: str) -> None:
        reasons.append(reason)
        self.ctx.storage.put("reason", reason)

    Probe.hooks = {"evict": evict}
    alice = await harness.connect("probe", "a")
    room = await harness.room("probe", "a")
    await harness.advance(13.0)
    assert state(room) is RoomState.HIBERNATED
    assert reasons == ["idle"]
    alice.say("wake")
    await harness.settle()
    assert state(room) is RoomState.ACTIVE
    await harness.registry.drain(deadline_seconds=60)
    assert reasons == ["idle", "draining"]
    stored = harness.stored("probe", "a")
    assert decode_value(stored[b"reason"]) == "draining"


async def test_on_evict_that_raises_keeps_nobody_from_resting_or_leaving(
    harness: ObjectHarness,
) -> None:
    Probe.hooks = {"evict": lambda *_: 1 / 0}
    alice = await harness.connect("probe", "a")
    room = await harness.room("probe", "a")
    await room.hibernate()
    assert state(room) is RoomState.HIBERNATED
    alice.say("wake")
    await harness.advance(1.0)
    await harness.registry.drain(deadline_seconds=60)
    assert closed(alice) == (1012, "service restart")
    assert len(harness.registry) == 0


async def test_an_object_that_finds_something_to_do_in_on_evict_stays_awake(
    harness: ObjectHarness,
) -> None:
    Probe.hooks = {"evict": lambda self, _reason: self.ctx.call_later(5.0, lambda: None) and None}
    room = await harness.room("probe", "a")
    await room.hibernate()
    assert state(room) is RoomState.ACTIVE
    assert awake(room)


# -- hibernation -------------------------------------------------------------------------------


async def test_a_room_that_is_not_idle_does_not_rest(harness: ObjectHarness) -> None:
    alice = await harness.connect("sleeper", "a")
    alice.say("one")
    await harness.settle()
    room = await harness.room("sleeper", "a")
    await room.hibernate()
    assert awake(room)
    Sleeper.waits[0].set_result(None)


async def test_with_writes_on_their_way_a_room_does_not_rest(harness: ObjectHarness) -> None:
    alice = await harness.connect("plain", "a")
    room = await harness.room("plain", "a")
    harness.committer.hold()
    alice.say("count")
    await room.hibernate()
    assert awake(room)


async def test_a_lost_lease_drops_what_a_socket_has_not_sent_yet(harness: ObjectHarness) -> None:
    alice = await harness.connect("plain", "a")
    bob = await harness.connect("plain", "a")
    alice.stall()
    bob.say("count")
    await harness.settle()
    room = await harness.room("plain", "a")
    room.abort(LeaseLost())
    assert alice.aborted
    assert not bob.aborted
    assert closed(bob) == (1013, "lease_lost")


async def test_a_second_abort_changes_nothing(harness: ObjectHarness) -> None:
    alice = await harness.connect("plain", "a")
    room = await harness.room("plain", "a")
    room.abort(LeaseLost())
    room.abort(RoomAborted())
    assert closed(alice) == (1013, "lease_lost")
    assert harness.counted["room_aborts"] == 1
