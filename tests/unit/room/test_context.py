"""What an instance is given, and that it is worth nothing after the instance is gone."""

import pytest

from app.core.errors import ObjectFault, RoomAborted
from app.sdk import Connection, Context, Request
from app.testing.harness import ObjectHarness
from tests.unit.room.objects import PlainCounter, Probe
from tests.unit.room.seen import closed


async def _context(harness: ObjectHarness, name: str = "a") -> Context:
    """The context of a live object."""
    kept: list[Context] = []
    Probe.hooks = {"message": lambda self, *_: kept.append(self.ctx)}
    socket = await harness.connect("probe", name)
    socket.say("x")
    socket.leave()
    await harness.settle()
    return kept[0]


async def test_an_object_knows_its_name_its_settings_and_its_durability(
    harness: ObjectHarness,
) -> None:
    ctx = await _context(harness)
    assert (ctx.id.name, ctx.id.namespace) == ("a", "probe")
    assert ctx.id == harness.object_id("probe", "a")
    assert ctx.settings == {}
    assert ctx.durability == "commit"


async def test_now_is_the_databases_clock_and_monotonic_the_workers(
    harness: ObjectHarness,
) -> None:
    ctx = await _context(harness)
    first, started = ctx.now(), ctx.monotonic()
    await harness.advance(2.0)
    assert ctx.now() == first + 2_000
    assert ctx.monotonic() == started + 2.0
    assert first == harness.database.now_ms() - 2_000


async def test_random_bytes_differ(harness: ObjectHarness) -> None:
    ctx = await _context(harness)
    assert len(ctx.random_bytes(16)) == 16
    assert ctx.random_bytes(16) != ctx.random_bytes(16)


async def test_a_log_line_carries_who_wrote_it(
    harness: ObjectHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    ctx = await _context(harness)
    ctx.log("seen", number=7)
    line = capsys.readouterr().out
    for part in ("seen", "number", "7", "namespace", "probe"):
        assert part in line


async def test_a_broadcast_leaves_out_whom_it_is_told_to(harness: ObjectHarness) -> None:
    def message(self: Probe, connection: Connection, text: str) -> None:
        self.ctx.broadcast(text, exclude=connection)

    Probe.hooks = {"message": message}
    sockets = [await harness.connect("probe", "a") for _ in range(3)]
    sockets[1].say("hello")
    assert [socket.take() for socket in sockets] == [["hello"], [], ["hello"]]


async def test_a_broadcast_with_a_tag_reaches_those_that_carry_it(harness: ObjectHarness) -> None:
    def message(self: Probe, connection: Connection, text: str) -> None:
        if text == "mark me":
            connection.tag("marked")
        else:
            self.ctx.broadcast(text, tag="marked")
            self.ctx.broadcast(text + "!", tag="marked")

    Probe.hooks = {"message": message}
    alice = await harness.connect("probe", "a")
    bob = await harness.connect("probe", "a")
    bob.say("mark me")
    alice.say("hello")
    assert alice.take() == []
    assert bob.take() == ["hello", "hello!"]


async def test_who_has_left_can_be_left_out_and_the_last_one_still_hears_it(
    harness: ObjectHarness,
) -> None:
    def close(self: Probe, connection: Connection) -> None:
        self.ctx.broadcast("somebody left", exclude=connection)

    Probe.hooks = {"close": close}
    alice = await harness.connect("probe", "a")
    bob = await harness.connect("probe", "a")
    alice.leave()
    await harness.settle()
    assert bob.take() == ["somebody left"]


async def test_a_broadcast_to_nobody_else_is_not_made(harness: ObjectHarness) -> None:
    def message(self: Probe, connection: Connection, text: str) -> None:
        self.ctx.broadcast(text, exclude=connection)

    Probe.hooks = {"message": message}
    alice = await harness.connect("probe", "a")
    alice.say("hello")
    assert alice.take() == []


async def test_a_timer_is_an_event_atomic_like_every_other(harness: ObjectHarness) -> None:
    def tick(self: Probe) -> None:
        self.ctx.storage.put("ticked", 1)
        self.ctx.broadcast("tick")
        raise RuntimeError("undone")

    Probe.hooks = {
        "message": lambda self, *_: self.ctx.call_later(1.0, lambda: tick(self)) and None
    }
    alice = await harness.connect("probe", "a")
    alice.say("x")
    await harness.advance(2.0)
    assert alice.take() == []
    assert closed(alice) is None
    assert harness.stored("probe", "a") == {}
    assert harness.counted["object_faults"] == 1


async def test_a_timer_may_be_a_coroutine_and_may_be_cancelled(harness: ObjectHarness) -> None:
    async def tick(self: Probe) -> None:
        await self.ctx.storage.sync()
        self.ctx.broadcast("tick")

    def message(self: Probe, _connection: Connection, text: str) -> None:
        timer = self.ctx.call_later(1.0, lambda: tick(self))
        if text == "never":
            timer.cancel()

    Probe.hooks = {"message": message}
    alice = await harness.connect("probe", "a")
    alice.say("never")
    alice.say("once")
    await harness.advance(3.0)
    assert alice.take() == ["tick"]


async def test_a_timer_that_waits_behind_a_failing_event_goes_with_its_instance(
    harness: ObjectHarness,
) -> None:
    ticked: list[str] = []

    async def slow(self: Probe) -> None:
        self.ctx.call_later(0.0, lambda: ticked.append("stale"))
        harness.clock.advance(0.0)
        await harness.settle()
        raise RuntimeError("gone before the timer had its turn")

    Probe.hooks = {"request": slow}
    with pytest.raises(ObjectFault):
        await harness.request("probe", "a", Request())
    await harness.settle()
    assert ticked == []


async def test_the_context_of_a_dropped_instance_is_refused_everything(
    harness: ObjectHarness,
) -> None:
    ctx = await _context(harness)
    await harness.connect("probe", "a")
    room = await harness.room("probe", "a")
    await harness.settle()
    await room.hibernate()
    with pytest.raises(RoomAborted, match="this instance of the object is over"):
        ctx.broadcast("late")
    with pytest.raises(RoomAborted):
        ctx.call_later(1.0, lambda: None)
    with pytest.raises(BaseException, match="too late"):
        ctx.abort("too late")
    assert harness.live_room("probe", "a") is room


async def test_223_two_objects_of_one_class_share_no_fields(harness: ObjectHarness) -> None:
    alice = await harness.connect("plain", "a")
    bob = await harness.connect("plain", "b")
    alice.say("count")
    alice.say("count")
    bob.say("count")
    await harness.settle()
    assert alice.take() == ["1", "2"]
    assert bob.take() == ["1"]
    assert PlainCounter.starts == 2
