"""Events that interleave: how they begin, fail, time out, end and are stopped."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.core.errors import EventTimedOut, ObjectFault, QueuedTooLong, RoomAborted, StateroomError
from app.room.life import RoomLife
from app.room.limits import RoomLimits
from app.sdk import Connection, Request
from tests.conformance.gate_stage import Stage, StageHarness, begin, future
from tests.unit.room.seen import closed


@pytest.fixture
async def harness() -> AsyncIterator[StageHarness]:
    async with StageHarness() as made:
        yield made


def _life(harness: StageHarness) -> RoomLife:
    room = harness.live_room("free", "a")
    assert room is not None
    return room.life


async def _raise(self: Stage, *_given: Any) -> None:
    self.field = 7
    self.storage.put("key", "kept")
    self.ctx.broadcast("kept")
    raise ValueError("as asked")


async def test_an_event_that_raises_undoes_nothing_and_keeps_the_instance(
    harness: StageHarness,
) -> None:
    socket = await harness.connect("free", "a")
    Stage.steps = {"raise": _raise}
    with pytest.raises(ObjectFault, match="as asked"):
        await harness.run("free", "raise")
    await harness.settle()
    assert socket.take() == ["kept"]
    assert harness.contents("free", "a") == {"key": "kept"}
    room = harness.live_room("free", "a")
    assert room is not None
    assert room._residence.instance.field == 7  # type: ignore[union-attr]  # it lives
    assert Stage.starts == 1
    assert harness.counted["object_faults"] == 1


async def test_an_error_tells_nothing_before_it_is_committed(harness: StageHarness) -> None:
    await harness.ready("free")
    Stage.steps = {"raise": _raise}
    harness.committer.hold()
    failing = harness.run("free", "raise")
    await harness.settle()
    assert not failing.done()
    harness.committer.release()
    with pytest.raises(ObjectFault):
        await failing


async def test_an_error_of_an_undone_event_waits_for_what_it_may_have_seen(
    harness: StageHarness,
) -> None:
    """One at a time: the state that it read may be of an earlier unit, not confirmed yet."""

    async def write(self: Stage) -> None:
        self.storage.put("secret", 42)

    async def tell(self: Stage) -> None:
        raise ValueError(await self.storage.get("secret"))

    Stage.steps = {"write": write, "tell": tell}
    await harness.ready("plain")
    harness.committer.hold()
    writing, telling = harness.run("plain", "write"), harness.run("plain", "tell")
    await harness.settle()
    assert (writing.done(), telling.done()) == (False, False)
    harness.committer.release()
    with pytest.raises(ObjectFault, match="42"):
        await telling


async def test_the_client_of_a_message_that_raises_is_closed_after_what_it_was_told(
    harness: StageHarness,
) -> None:
    async def fail(self: Stage, connection: Connection) -> None:
        self.storage.put("key", 1)
        connection.send("first")
        raise ValueError("as asked")

    socket = await harness.connect("free", "a")
    Stage.steps = {"fail": fail}
    harness.committer.hold()
    socket.say("fail")
    socket.say("fail")
    await harness.settle()
    assert closed(socket) is None
    harness.committer.release()
    await harness.settle()
    assert socket.take() == ["first"]
    assert closed(socket) == (1011, "object_fault")


async def test_a_timeout_cuts_one_event_and_leaves_the_others(harness: StageHarness) -> None:
    async def forever(self: Stage) -> None:
        self.storage.put("key", "kept")
        await future()

    over = future()

    async def wait(_self: Stage) -> Any:
        return await over

    async with StageHarness(limits=RoomLimits(event_timeout_seconds=0.01)) as quick:
        Stage.steps = {"forever": forever}
        with pytest.raises(EventTimedOut):
            await begin(quick.request("free", "a", Request(path="forever")))
        assert quick.contents("free", "a") == {"key": "kept"}
        assert Stage.starts == 1
    Stage.steps = {"wait": wait}
    waiting = harness.run("free", "wait")
    await harness.settle()
    over.set_result("well")
    assert await waiting == "well"


async def test_only_so_many_events_run_at_once_and_the_others_follow_in_order() -> None:
    turns = [future() for _ in range(5)]

    async def wait(_self: Stage, number: int) -> None:
        Stage.heard.append(str(number))
        await turns[number]

    async with StageHarness(limits=RoomLimits(running_events=2)) as harness:
        Stage.steps = {"wait": wait}
        calls = [harness.run("free", "wait", number) for number in range(5)]
        await harness.settle()
        assert [word for word in Stage.heard if len(word) == 1] == ["0", "1"]
        turns[1].set_result(None)
        await harness.settle()
        assert [word for word in Stage.heard if len(word) == 1] == ["0", "1", "2"]
        for turn in turns:
            if not turn.done():
                turn.set_result(None)
        await asyncio.gather(*calls)
        assert [word for word in Stage.heard if len(word) == 1] == ["0", "1", "2", "3", "4"]


async def test_a_room_that_leaves_ends_what_runs_and_says_goodbye_last(
    harness: StageHarness,
) -> None:
    over = future()

    async def wait(self: Stage) -> None:
        await over
        self.storage.put("key", "at the end")

    def goodbye(_self: Stage, reason: str) -> None:
        Stage.heard.append(f"evict {reason}")

    Stage.steps = {"wait": wait, "evict": goodbye}
    waiting = harness.run("free", "wait")
    await harness.settle()
    draining = begin(harness.registry.drain(deadline_seconds=5.0))
    await harness.settle()
    assert not draining.done()
    over.set_result(None)
    await asyncio.gather(waiting, draining)
    assert Stage.heard[-1] == "evict draining"
    assert harness.contents("free", "a") == {"key": "at the end"}


async def test_an_abort_unwinds_every_event_that_would_go_on(harness: StageHarness) -> None:
    turn = future()

    async def wait(_self: Stage) -> None:
        try:
            await turn
            Stage.heard.append("went on")
        finally:
            Stage.heard.append("unwound")

    async def abort(self: Stage) -> None:
        self.ctx.abort("enough")

    Stage.steps = {"wait": wait, "abort": abort}
    calls = [harness.run("free", step) for step in ("wait", "wait", "abort")]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [RoomAborted] * 3
    assert all("enough" in str(result) for result in results)
    turn.set_result(None)
    await harness.settle()
    assert Stage.heard.count("unwound") == 2
    assert "went on" not in Stage.heard


async def test_a_failed_commit_resets_the_room_with_all_its_events(harness: StageHarness) -> None:
    turn = future()

    async def wait(_self: Stage) -> None:
        await turn

    async def write(self: Stage) -> None:
        self.storage.put("key", 1)

    Stage.steps = {"wait": wait, "write": write}
    waiting = harness.run("free", "wait")
    await harness.settle()
    harness.fail_next_commit()
    writing = harness.run("free", "write")
    for call in (waiting, writing):
        with pytest.raises(StateroomError) as caught:
            await call
        assert caught.value.reset
    turn.set_result(None)
    await harness.settle()


async def test_an_event_that_waited_too_long_for_its_turn_is_not_run() -> None:
    inside = future()

    async def block(self: Stage) -> None:
        async def wait() -> None:
            await inside

        await self.ctx.block_concurrency_while(wait)

    async with StageHarness(limits=RoomLimits(queue_seconds=5.0)) as harness:
        Stage.steps = {"block": block}
        blocking = harness.run("free", "block")
        await harness.settle()
        late = begin(harness.stub("free", "a").say("late"))
        await harness.advance(6.0)
        inside.set_result(None)
        with pytest.raises(StateroomError) as caught:
            await late
        assert caught.value.code == QueuedTooLong.code
        await blocking
        assert "late" not in Stage.heard


async def test_an_object_with_an_event_that_waits_is_not_dropped(harness: StageHarness) -> None:
    over = future()

    async def wait(_self: Stage) -> None:
        await over

    Stage.steps = {"wait": wait}
    waiting = begin(harness.request("free", "a", Request(path="wait")))
    await harness.advance(25.0)
    assert not _life(harness).idle
    over.set_result(None)
    await waiting
    await harness.settle()
    assert _life(harness).idle
    await harness.advance(80.0)
    assert harness.live_room("free", "a") is None


async def test_the_watchdog_sees_whether_the_oldest_event_gets_on(harness: StageHarness) -> None:
    turns = [future(), future()]

    async def wait(_self: Stage, number: int) -> None:
        await turns[number]

    Stage.steps = {"wait": wait}
    await harness.ready("free")
    assert _life(harness).vitals.ended is None
    calls = [harness.run("free", "wait", number) for number in range(2)]
    await harness.settle()
    first = _life(harness).vitals.ended
    assert first is not None
    turns[1].set_result(None)
    await calls[1]
    assert _life(harness).vitals.ended == first
    harness.run("free", "wait", 1)
    turns[0].set_result(None)
    await calls[0]
    assert _life(harness).vitals.ended != first


async def test_an_alarm_that_raises_is_tried_again_and_keeps_what_it_did(
    harness: StageHarness,
) -> None:
    async def ask(self: Stage) -> None:
        self.storage.set_alarm(self.ctx.now() + 1_000)

    async def alarm(self: Stage, info: Any) -> None:
        self.storage.put(f"run {info.retry_count}", 1)
        if info.retry_count == 0:
            raise ValueError("once more")

    Stage.steps = {"ask": ask, "alarm": alarm}
    await harness.run("free", "ask")
    await harness.advance(2.0)
    assert harness.contents("free", "a") == {"run 0": 1}
    await harness.advance(10.0)
    assert harness.contents("free", "a") == {"run 0": 1, "run 1": 1}
    assert harness.alarm("free", "a") is None


async def test_a_start_is_one_unit_and_may_call_others(harness: StageHarness) -> None:
    async def start(self: Stage) -> None:
        self.storage.put("start", 1)
        Stage.heard.append(await self.ctx.namespace("plain").get_by_name("b").say("called"))

    def init(self: Stage) -> None:
        if type(self).interleave:
            self.ctx.block_concurrency_while(lambda: start(self))

    Stage.steps = {"init": init}
    assert await harness.stub("free", "a").say("first") == "first"
    assert harness.contents("free", "a") == {"start": 1}


async def test_an_event_that_never_began_is_told_why_the_start_failed(
    harness: StageHarness,
) -> None:
    def init(_self: Stage) -> None:
        raise ValueError("no start")

    Stage.steps = {"init": init}
    calls = [begin(harness.stub("free", "a").say(word)) for word in "ab"]
    for call in calls:
        with pytest.raises(ObjectFault, match="no start"):
            await call
    Stage.steps = {}
    again = begin(harness.stub("free", "a").say("c"))
    await harness.advance(2.0)  # the pause after faults
    assert await again == "c"


async def test_a_worker_that_stops_leaves_no_caller_waiting() -> None:
    async def wait(self: Stage) -> None:
        async with self.storage.transaction():
            await future()

    async with StageHarness() as harness:
        Stage.steps = {"wait": wait}
        calls = [begin(harness.request("free", "a", Request(path="wait"))) for _ in range(3)]
        await harness.settle()
    for call in calls:
        with pytest.raises(StateroomError):
            await call
