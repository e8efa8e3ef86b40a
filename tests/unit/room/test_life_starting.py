"""An instance is started: what can go wrong, and who is to blame."""

import asyncio

import pytest

from app.core.errors import (
    LeaseLost,
    ObjectFault,
    StorageRefused,
    StoreUnavailable,
)
from app.core.tasks import TaskOwner
from app.room.states import RoomState
from app.sdk import Connection, Request, Response
from app.testing.harness import ObjectHarness
from tests.unit.room.objects import Probe
from tests.unit.room.seen import awake, closed, state

tasks = TaskOwner("test")


async def test_a_room_whose_rows_have_another_owner_is_given_up_at_once(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("plain", "a")
    room = await harness.room("plain", "a")
    await room.hibernate()
    row = harness.database.objects[room.object_id.uuid]
    row.epoch = harness.database.next_epoch()
    alice.say("count")
    await harness.settle()
    assert closed(alice) == (1012, "ownership_lost")
    assert len(harness.registry) == 0
    again = await harness.connect("plain", "a")
    again.say("count")
    await harness.settle()
    assert again.take() == ["1"]


async def test_while_the_database_is_away_a_start_fails_and_is_nobodys_fault(
    harness: ObjectHarness,
) -> None:
    room = await harness.room("plain", "a")
    await room.hibernate()
    harness.database.away = True
    with pytest.raises(StoreUnavailable):
        await harness.request("plain", "a", Request())
    harness.database.away = False
    assert (await harness.request("plain", "a", Request())).status == 404
    assert harness.counted["object_faults"] == 0


async def test_an_object_whose_start_cannot_read_is_not_to_blame_either(
    harness: ObjectHarness,
) -> None:
    async def start(self: Probe) -> None:
        self.ctx.call_later(1.0, lambda: None)
        harness.database.away = away
        await self.ctx.storage.get("key", no_cache=True)

    away = True
    room = await harness.room("probe", "a")
    room.lane.cache.forget(b"key")
    room._residence.drop(forget_rows=False)
    Probe.hooks = {"start": start}
    waits = harness.clock.pending
    with pytest.raises(StoreUnavailable):
        await harness.request("probe", "a", Request())
    harness.database.away = away = False
    assert harness.clock.pending <= waits, "the timer of the start that failed is forgotten"
    assert harness.counted["object_faults"] == 0


async def test_an_event_that_cannot_read_is_undone_and_nobody_is_to_blame(
    harness: ObjectHarness,
) -> None:
    async def read(self: Probe) -> Response:
        half = await self.ctx.storage.get("half", 0)
        self.ctx.storage.put("half", half + 1)
        await self.ctx.storage.get("key", no_cache=True)
        return Response(body=str(half))

    Probe.hooks = {"request": read}
    alice = await harness.connect("probe", "a")
    room = await harness.room("probe", "a")
    for _ in range(3):
        room.lane.cache.forget(b"key")
        harness.database.away = True
        with pytest.raises(StoreUnavailable):
            await harness.request("probe", "a", Request())
        harness.database.away = False
    # No back-off stands in the way of the next event, and what half an event wrote is gone.
    assert (await harness.request("probe", "a", Request())).body == "0"
    assert harness.counted["object_faults"] == 0
    assert closed(alice) is None


async def test_a_start_that_keeps_refusing_is_slowed_down_like_any_fault(
    harness: ObjectHarness,
) -> None:
    def start(self: Probe) -> None:
        self.ctx.storage.put("key", object())

    Probe.hooks = {"start": start}
    for attempt in range(3):
        with pytest.raises(StorageRefused):
            await harness.room("probe", "a")
        await harness.advance(0.1 if attempt < 2 else 0.0)
    assert harness.counted["object_faults"] >= 2
    waiting = tasks.start(harness.room("probe", "a"), name="room")
    await harness.settle()
    assert not waiting.done()
    await harness.advance(6.0)
    with pytest.raises(StorageRefused):
        await waiting


async def test_what_a_start_wrote_and_said_goes_with_it_when_it_fails(
    harness: ObjectHarness,
) -> None:
    def start(self: Probe) -> None:
        self.ctx.storage.put("key", 1)
        self.ctx.broadcast("starting")
        raise RuntimeError("not today")

    alice = await harness.connect("probe", "a")
    room = await harness.room("probe", "a")
    await room.hibernate()
    Probe.hooks = {"start": start}
    with pytest.raises(ObjectFault):
        await harness.request("probe", "a", Request())
    assert alice.take() == []
    assert harness.stored("probe", "a") == {}


async def test_a_start_is_a_unit_of_its_own_and_outlives_a_failing_first_event(
    harness: ObjectHarness,
) -> None:
    Probe.hooks = {
        "start": lambda self: self.ctx.storage.put("started", 1) and None,
        "request": lambda _self: 1 / 0,
    }
    with pytest.raises(ObjectFault):
        await harness.request("probe", "a", Request())
    await harness.settle()
    assert harness.stored("probe", "a").keys() == {b"started"}


async def test_a_room_aborted_while_it_starts_serves_nobody(harness: ObjectHarness) -> None:
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    Probe.hooks = {"start": lambda _self: gate}
    waiting = tasks.start(harness.room("probe", "a"), name="room")
    await harness.settle()
    room = harness.live_room("probe", "a")
    assert room is not None
    room.abort(LeaseLost())
    with pytest.raises(LeaseLost):
        await waiting
    gate.set_result(None)
    await harness.settle()
    assert not awake(room)
    assert state(room) is RoomState.GONE


async def test_after_a_fault_another_instance_is_there_without_waiting_for_an_event(
    harness: ObjectHarness,
) -> None:
    def message(_self: Probe, _connection: Connection, text: str) -> None:
        if text == "fail":
            raise RuntimeError("as asked")

    def start(self: Probe) -> None:
        told.append(self.ctx.after_fault)
        self.ctx.call_later(1.0, lambda: self.ctx.broadcast("tick"))

    told: list[bool] = []
    Probe.hooks = {"message": message, "start": start}
    bob = await harness.connect("probe", "a")
    alice = await harness.connect("probe", "a")
    alice.say("fail")
    await harness.advance(1.5)
    assert bob.take() == ["tick"]
    assert told == [False, True]
    room = await harness.room("probe", "a")
    await room.hibernate()
    bob.say("wake")
    await harness.settle()
    assert told == [False, True, False], "after a rest it is no replacement"


async def test_after_a_fault_of_an_object_without_clients_nothing_is_started(
    harness: ObjectHarness,
) -> None:
    Probe.hooks = {"request": lambda _self: 1 / 0}
    with pytest.raises(ObjectFault):
        await harness.request("probe", "a", Request())
    await harness.settle()
    assert Probe.heard.count("start") == 1


async def test_a_replacement_that_cannot_start_is_not_tried_again_by_itself(
    harness: ObjectHarness,
) -> None:
    await harness.connect("probe", "a")
    Probe.hooks = {"request": lambda _self: 1 / 0, "start": lambda _self: 1 / 0}
    with pytest.raises(ObjectFault):
        await harness.request("probe", "a", Request())
    await harness.advance(30.0)
    assert Probe.heard.count("start") == 2
