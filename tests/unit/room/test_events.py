"""The event loop of a room: one event at a time, each all or nothing, whatever a hook does."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from app.core.errors import EventTimedOut, ObjectFault, Overloaded, RoomAborted
from app.core.tasks import TaskOwner
from app.room.limits import RoomLimits
from app.sdk import Connection, Request
from app.testing.harness import ObjectHarness
from app.testing.sockets import MemorySocket
from tests.unit.room.objects import Probe, QueuedProbe
from tests.unit.room.seen import closed


@pytest.fixture(params=["probe", "queued"])
def kind(request: pytest.FixtureRequest) -> str:
    """A message hook that runs inline, and one that goes through the mailbox."""
    return str(request.param)


def _future() -> "asyncio.Future[None]":
    return asyncio.get_running_loop().create_future()


def _cancelled() -> "asyncio.Future[None]":
    future = _future()
    future.cancel()
    return future


def _start(harness: ObjectHarness, *, name: str = "a") -> "asyncio.Task[Any]":
    return harness_tasks.start(harness.request("probe", name, Request()), name="request")


harness_tasks = TaskOwner("test")


async def _writes_then(self: Probe, what: Callable[[], Any]) -> None:
    self.ctx.storage.put("key", "of the failed event")
    self.ctx.broadcast("of the failed event")
    await what()


@pytest.mark.parametrize("way", ["raises", "awaits something cancelled", "holds a transaction"])
async def test_an_event_that_does_not_end_well_leaves_nothing_and_the_next_one_runs(
    harness: ObjectHarness, kind: str, way: str
) -> None:
    async def fail(self: Probe, _connection: Connection, message: str) -> None:
        if message == "good":
            self.ctx.storage.put("good", 1)
            self.ctx.broadcast("good")
            return
        self.ctx.storage.put("bad", 1)
        self.ctx.broadcast("bad")
        if way == "raises":
            raise RuntimeError("as asked")
        if way == "awaits something cancelled":
            await _cancelled()
        await self.ctx.storage.transaction().__aenter__()

    Probe.hooks = {"message": fail}
    alice = await harness.connect(kind, "a")
    bob = await harness.connect(kind, "a")
    alice.say("bad")
    bob.say("good")
    await harness.settle()
    assert closed(alice) == (1011, "object_fault")
    assert bob.take() == ["good"]
    assert harness.stored(kind, "a").keys() == {b"good"}


@pytest.mark.parametrize("way", ["raises", "asks a cancelled future", "holds a transaction"])
async def test_a_plain_hook_that_fails_leaves_nothing_and_the_next_event_runs(
    harness: ObjectHarness, way: str
) -> None:
    def fail(self: Probe, _connection: Connection, message: str) -> None:
        self.ctx.storage.put(message, 1)
        self.ctx.broadcast(message)
        if message == "good":
            return
        if way == "raises":
            raise RuntimeError("as asked")
        if way == "asks a cancelled future":
            _cancelled().result()
        entering = self.ctx.storage.transaction().__aenter__()
        with pytest.raises(StopIteration):
            entering.__await__().send(None)

    Probe.hooks = {"message": fail}
    alice = await harness.connect("probe", "a")
    bob = await harness.connect("probe", "a")
    alice.say("bad")
    bob.say("good")
    await harness.settle()
    assert closed(alice) == (1011, "object_fault")
    assert bob.take() == ["good"]
    assert harness.stored("probe", "a").keys() == {b"good"}


async def test_a_request_whose_hook_waits_for_something_cancelled_fails(
    harness: ObjectHarness,
) -> None:
    Probe.hooks = {"request": lambda _self: _cancelled()}
    with pytest.raises(ObjectFault, match="cancelled"):
        await harness.request("probe", "a", Request())


async def test_a_request_that_is_answered_with_something_else_fails(
    harness: ObjectHarness,
) -> None:
    Probe.hooks = {"request": lambda _self: "not a response"}
    with pytest.raises(ObjectFault, match="on_request returned str"):
        await harness.request("probe", "a", Request())


async def test_207_a_hook_over_its_time_is_cut_off_and_undone(kind: str) -> None:
    cut: list[str] = []

    async def forever(self: Probe, _connection: Connection, _message: str) -> None:
        self.ctx.storage.put("key", 1)
        try:
            await _future()
        finally:
            cut.append("off")

    Probe.hooks = {"message": forever}
    limits = RoomLimits(event_timeout_seconds=0.0)
    classes = {"probe": Probe, "queued": QueuedProbe}
    async with ObjectHarness(classes, limits=limits) as harness:
        alice = await harness.connect(kind, "a")
        alice.say("x")
        await harness.settle()
        assert cut == ["off"]
        assert closed(alice) == (1011, "event_timed_out")
        assert harness.stored(kind, "a") == {}


async def test_a_start_over_its_time_fails_the_event_that_asked_for_it() -> None:
    Probe.hooks = {"start": lambda _self: _future()}
    limits = RoomLimits(event_timeout_seconds=0.0)
    async with ObjectHarness({"probe": Probe}, limits=limits) as harness:
        with pytest.raises(EventTimedOut):
            await harness.room("probe", "a")


async def test_a_timeout_of_the_hooks_own_is_an_error_like_others(harness: ObjectHarness) -> None:
    async def own(_self: Probe) -> None:
        async with asyncio.timeout(0):
            await _future()

    Probe.hooks = {"request": own}
    with pytest.raises(ObjectFault, match="TimeoutError"):
        await harness.request("probe", "a", Request())


async def test_35_events_run_in_the_order_they_came_also_those_that_became_slow_half_way(
    harness: ObjectHarness,
) -> None:
    gate = _future()
    order: list[str] = []

    def message(_self: Probe, _connection: Connection, text: str) -> Any:
        order.append(text)
        if text == "slow":
            return gate
        return None

    Probe.hooks = {"message": message}
    alice = await harness.connect("probe", "a")
    for text in ("quick", "slow", "second", "third"):
        alice.say(text)
    await harness.settle()
    assert order == ["quick", "slow"]
    gate.set_result(None)
    await harness.settle()
    assert order == ["quick", "slow", "second", "third"]


async def test_a_long_queue_lets_others_run_between(harness: ObjectHarness) -> None:
    first = _future()
    seen: list[int] = []

    async def message(_self: Probe, _connection: Connection, text: str) -> None:
        if text == "0":
            await first
        seen.append(int(text))

    Probe.hooks = {"message": message}
    alice = await harness.connect("queued", "a")
    for number in range(200):
        alice.say(str(number))
    await harness.settle()
    at: list[int] = []
    asyncio.get_running_loop().call_soon(lambda: at.append(len(seen)))
    first.set_result(None)
    asyncio.get_running_loop().call_soon(
        lambda: asyncio.get_running_loop().call_soon(lambda: at.append(len(seen)))
    )
    await harness.settle()
    assert seen == list(range(200))
    assert at[-1] < 200, "another room had its turn before the queue was empty"


async def test_36_a_caller_that_goes_away_disturbs_nobody(harness: ObjectHarness) -> None:
    gate = _future()
    Probe.hooks = {"message": lambda *_: gate, "request": lambda _self: None}
    alice = await harness.connect("probe", "a")
    alice.say("busy")
    impatient = _start(harness)
    await harness.settle()
    impatient.cancel()
    await harness.settle()
    gate.set_result(None)
    await harness.settle()
    assert "request" in Probe.heard, "its event runs all the same"
    assert closed(alice) is None


async def test_113_220_an_abort_inside_an_event_is_at_once_and_cannot_be_caught(
    harness: ObjectHarness, kind: str
) -> None:
    after: list[str] = []

    async def swallow(self: Probe, connection: Connection, _message: str) -> None:
        self.ctx.storage.put("key", 1)
        try:
            self.ctx.abort("enough")
        except BaseException:  # noqa: BLE001 - the worst an author can do
            after.append("caught")
        with pytest.raises(RoomAborted):
            self.ctx.storage.put("key", 2)
        connection.send("still here")

    Probe.hooks = {"message": swallow}
    alice = await harness.connect(kind, "a")
    alice.say("x")
    await harness.settle()
    assert after == ["caught"]
    assert closed(alice) == (1012, "room_aborted")
    assert alice.take() == []
    assert harness.stored(kind, "a") == {}
    assert len(harness.registry) == 0


async def test_an_abort_in_a_plain_hook_throws_the_room_away(harness: ObjectHarness) -> None:
    Probe.hooks = {"message": lambda self, *_: self.ctx.abort("enough")}
    alice = await harness.connect("probe", "a")
    alice.say("x")
    assert closed(alice) == (1012, "room_aborted")
    assert len(harness.registry) == 0


async def test_an_abort_in_on_start_fails_the_caller_and_the_next_one_starts_afresh(
    harness: ObjectHarness,
) -> None:
    Probe.hooks = {"start": lambda self: self.ctx.abort("not today")}
    with pytest.raises(RoomAborted, match="not today"):
        await harness.room("probe", "a")
    Probe.hooks = {}
    assert (await harness.room("probe", "a")).awake


async def test_an_abort_from_a_task_of_the_author_is_an_abort_too(harness: ObjectHarness) -> None:
    async def in_background(self: Probe) -> None:
        self.ctx.abort("from outside")

    Probe.hooks = {"message": lambda self, *_: background.append(in_background(self))}
    background: list[Any] = []
    alice = await harness.connect("probe", "a")
    alice.say("x")
    with pytest.raises(BaseException, match="from outside"):
        await background[0]
    assert closed(alice) == (1012, "room_aborted")


async def test_an_event_under_way_when_the_room_is_aborted_is_not_blamed_on_the_object(
    harness: ObjectHarness,
) -> None:
    gate = _future()

    async def message(self: Probe, connection: Connection, _text: str) -> None:
        async with self.ctx.storage.transaction():
            self.ctx.storage.put("key", 1)
            await gate
        connection.send("done")

    Probe.hooks = {"message": message}
    alice = await harness.connect("probe", "a")
    alice.say("x")
    waiting = _start(harness)
    await harness.settle()
    room = harness.live_room("probe", "a")
    assert room is not None
    room.abort(RoomAborted("from elsewhere"))
    with pytest.raises(RoomAborted):
        await waiting
    gate.set_result(None)
    await harness.settle()
    assert alice.take() == []
    assert harness.stored("probe", "a") == {}
    assert harness.counted["object_faults"] == 0


async def test_a_worker_that_stops_during_an_event_keeps_nothing_of_it_and_nobody_waits() -> None:
    Probe.hooks = {"request": lambda self: _writes_then(self, _future)}
    async with ObjectHarness({"probe": Probe}) as harness:
        asking = _start(harness)
        await harness.settle()
    with pytest.raises(RoomAborted):
        await asking
    assert harness.stored("probe", "a") == {}


async def test_a_worker_that_stops_during_a_start_leaves_nobody_waiting() -> None:
    Probe.hooks = {"start": lambda _self: _future()}
    async with ObjectHarness({"probe": Probe}) as harness:
        asking = _start(harness)
        await harness.settle()
    with pytest.raises(RoomAborted):
        await asking


async def test_on_connect_that_raises_turns_the_client_away_and_on_close_follows_once(
    harness: ObjectHarness,
) -> None:
    def refuse(self: Probe, _connection: Connection) -> None:
        self.ctx.broadcast("somebody came")
        raise RuntimeError("not you")

    bob = await harness.connect("probe", "a")
    Probe.hooks = {"connect": refuse}
    alice = await harness.connect("probe", "a")
    assert closed(alice) == (1011, "object_fault")
    assert bob.take() == []
    alice.leave(1011, "object_fault")
    alice.leave(1011, "object_fault")
    await harness.settle()
    assert Probe.heard.count("close") == 1


async def test_on_close_that_raises_is_undone_and_hurts_nobody_else(
    harness: ObjectHarness,
) -> None:
    async def fail(self: Probe, _connection: Connection) -> None:
        await _writes_then(self, lambda: 1 / 0)

    Probe.hooks = {"close": fail}
    alice = await harness.connect("probe", "a")
    bob = await harness.connect("probe", "a")
    alice.leave()
    await harness.settle()
    assert bob.take() == []
    assert closed(bob) is None
    assert harness.stored("probe", "a") == {}


async def test_a_full_mailbox_refuses_a_request_and_still_tells_of_closed_sockets() -> None:
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    Probe.hooks = {"message": lambda *_: gate}
    Probe.heard = []
    async with ObjectHarness({"probe": Probe}, limits=RoomLimits(mailbox_events=1)) as harness:
        alice = await harness.connect("probe", "a")
        bob: MemorySocket = await harness.connect("probe", "a")
        for _ in range(3):
            alice.say("x")
        with pytest.raises(Overloaded):
            await harness.request("probe", "a", Request())
        bob.leave()
        gate.set_result(None)
        await harness.settle()
        assert Probe.heard.count("close") == 1


@pytest.mark.parametrize(("milliseconds", "together"), [(6, 1), (1, 5), (0, 8)])
async def test_a_room_with_much_to_do_lets_the_others_run_in_between(
    harness: ObjectHarness, milliseconds: int, together: int
) -> None:
    heard: list[str] = []

    def message(_self: QueuedProbe, connection: Connection, _message: str) -> None:
        harness.clock.advance(milliseconds / 1000)
        heard.append(connection.id)

    QueuedProbe.hooks = {"message": message}
    alice, bob = await harness.connect("queued", "a"), await harness.connect("queued", "b")
    for socket in (alice, bob):
        for _ in range(16):
            socket.say("x")
    await harness.settle()
    assert len(heard) == 32
    assert len(set(heard[:together])) == 1
    assert len(set(heard[: 2 * together])) == 2
