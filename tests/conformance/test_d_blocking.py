"""D: `block_concurrency_while`, in both modes where both can tell a difference."""

import asyncio
from typing import Any

import pytest

from app.core.errors import ObjectFault, RoomAborted, SectionTimedOut, StateroomError
from app.room.limits import RoomLimits
from app.sdk import CallRefused, Request
from tests.conformance.gate_stage import Stage, StageHarness, begin, future
from tests.conformance.verdicts import not_offered


async def test_041_nothing_is_delivered_while_the_callback_runs(harness: StageHarness) -> None:
    """No call, reply, timer, message or alarm is delivered while the callback runs."""
    inside, reply = future(), future()

    async def wait_for_reply(self: Stage) -> None:
        self.ctx.call_later(1.0, lambda: Stage.heard.append("timer"))
        self.storage.set_alarm(self.ctx.now() + 1_000)
        await reply
        Stage.heard.append("reply")

    async def section(_self: Stage) -> None:
        await inside
        Stage.heard.append("inside")

    async def block(self: Stage) -> None:
        await self.ctx.block_concurrency_while(lambda: section(self))

    async def message(_self: Stage, _connection: object) -> None:
        """It has been heard."""

    async def alarm(_self: Stage, _info: object) -> None:
        """It has been heard."""

    await harness.ready("free")
    socket = await harness.connect("free", "a")
    Stage.steps = {"wait": wait_for_reply, "block": block, "hello": message, "alarm": alarm}
    harness.run("free", "wait")
    await harness.settle()
    harness.run("free", "block")
    await harness.settle()
    Stage.heard.clear()
    reply.set_result(None)
    socket.say("hello")
    begin(harness.stub("free", "a").say("call"))
    await harness.advance(3.0)
    assert Stage.heard == []
    inside.set_result(None)
    await harness.settle()
    assert Stage.heard[0] == "inside"
    assert set(Stage.heard[1:]) == {"reply", "run hello", "call", "timer", "run alarm"}


async def test_042_what_the_callback_starts_itself_completes(
    harness: StageHarness, kind: str
) -> None:
    """Storage and calls of other objects that are started inside the callback complete."""

    async def section(self: Stage) -> Any:
        harness.slow.reads.clear()
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, harness.slow.reads.set)
        stored = await self.storage.get("key")
        return stored, await self.ctx.namespace(kind).get_by_name("b").say("called")

    async def block(self: Stage) -> Any:
        return await self.ctx.block_concurrency_while(lambda: section(self))

    Stage.steps = {"block": block}
    await harness.ready(kind)
    assert await harness.run(kind, "block") == (None, "called")


@not_offered("functions do not travel: arguments of calls are copies of plain values")
async def test_043_a_callback_that_is_handed_out_cannot_be_called_back(
    harness: StageHarness, kind: str
) -> None:
    """A function that a section hands to another object can be called back without deadlock."""

    async def block(self: Stage) -> None:
        async def section() -> None:
            with pytest.raises(CallRefused, match="cannot travel"):
                await self.ctx.namespace(kind).get_by_name("b").say(lambda: None)

        await self.ctx.block_concurrency_while(section)

    Stage.steps = {"block": block}
    await harness.run(kind, "block")


async def test_044_it_returns_what_the_callback_returns(harness: StageHarness, kind: str) -> None:
    """Awaiting it gives what the callback returns."""

    async def seven() -> int:
        return 7

    async def block(self: Stage) -> int:
        return await self.ctx.block_concurrency_while(seven)

    Stage.steps = {"block": block}
    assert await harness.run(kind, "block") == 7


async def test_045_in_the_constructor_it_is_over_before_the_first_event(
    harness: StageHarness, kind: str
) -> None:
    """Called in the constructor, it completes before the first event."""
    loaded = future()

    async def load(self: Stage) -> None:
        await loaded
        self.field = await self.storage.get("field", 42)

    def init(self: Stage) -> None:
        self.ctx.block_concurrency_while(lambda: load(self))

    async def read(self: Stage) -> int:
        return self.field

    Stage.steps = {"init": init, "read": read}
    reading = harness.run(kind, "read")
    await harness.settle()
    assert Stage.heard == []
    loaded.set_result(None)
    assert await reading == 42
    assert Stage.heard == ["start", "run read"]


async def test_046_a_callback_that_raises_resets_the_object(
    harness: StageHarness, kind: str
) -> None:
    """A callback that raises resets the object: memory gone, waiters fail, storage unchanged."""
    inside = future()

    async def section(self: Stage) -> None:
        await inside
        self.field = 1
        raise ValueError("not like this")

    async def block(self: Stage) -> None:
        await self.ctx.block_concurrency_while(lambda: section(self))

    async def keep(self: Stage) -> None:
        self.storage.put("kept", 1)

    async def read(self: Stage) -> int:
        return self.field

    Stage.steps = {"block": block, "keep": keep, "read": read}
    await harness.run(kind, "keep")
    blocking = harness.run(kind, "block")
    await harness.settle()
    waiting = harness.run(kind, "read")
    await harness.settle()
    inside.set_result(None)
    for call in (blocking, waiting):
        with pytest.raises(ObjectFault, match="ValueError: not like this") as caught:
            await call
        assert caught.value.reset
    assert await harness.run(kind, "read") == 0
    assert Stage.starts == 2
    assert harness.contents(kind, "a") == {"kept": 1}


async def test_047_the_awaiting_code_does_not_see_the_error(
    harness: StageHarness, kind: str
) -> None:
    """The code of the object that awaits the callback never sees the error."""
    seen: list[Exception] = []

    async def section() -> None:
        raise ValueError("not like this")

    async def block(self: Stage) -> None:
        try:
            await self.ctx.block_concurrency_while(section)
        except Exception as error:  # noqa: BLE001 - this is what must not happen
            seen.append(error)
        seen.append(RuntimeError("it goes on"))

    Stage.steps = {"block": block}
    with pytest.raises(ObjectFault):
        await harness.run(kind, "block")
    await harness.settle()
    assert seen == []


async def test_048_a_callback_that_catches_its_own_error_resets_nothing(
    harness: StageHarness, kind: str
) -> None:
    """A callback that catches its own error does not reset the object."""

    async def section() -> str:
        try:
            return str(1 / 0)
        except ZeroDivisionError:
            return "caught"

    async def block(self: Stage) -> str:
        return await self.ctx.block_concurrency_while(section)

    Stage.steps = {"block": block}
    assert await harness.run(kind, "block") == "caught"
    await harness.stub(kind, "a").say("still here")
    assert Stage.starts == 1


async def test_049_a_callback_over_30_seconds_resets_the_object(
    harness: StageHarness, kind: str
) -> None:
    """A callback that takes longer than 30 seconds resets the object with an overload error."""

    async def block(self: Stage) -> None:
        await self.ctx.block_concurrency_while(future)

    Stage.steps = {"block": block}
    blocking = begin(harness.request(kind, "a", Request(path="block")))
    await harness.settle()
    await harness.advance(29.5)
    assert not blocking.done()
    await harness.advance(1.0)
    with pytest.raises(StateroomError) as caught:
        await blocking
    assert caught.value.code == SectionTimedOut.code
    assert (caught.value.overloaded, caught.value.reset) == (True, True)


async def test_a_time_out_of_the_event_inside_of_a_section_resets_the_object_too() -> None:
    async def block(self: Stage) -> None:
        await self.ctx.block_concurrency_while(future)

    async with StageHarness(limits=RoomLimits(event_timeout_seconds=0.01)) as harness:
        Stage.steps = {"block": block}
        with pytest.raises(SectionTimedOut):
            await begin(harness.request("plain", "a", Request(path="block")))
        assert harness.live_room("plain", "a") is None


async def test_050_sections_nest_and_the_outer_one_goes_on_after_the_inner(
    harness: StageHarness, kind: str
) -> None:
    """Sections nest; the outer one goes on only when the inner one has finished."""
    inside = future()

    async def inner() -> None:
        await inside
        Stage.heard.append("inner")

    async def outer(self: Stage) -> None:
        await self.ctx.block_concurrency_while(inner)
        Stage.heard.append("outer")

    async def block(self: Stage) -> None:
        await self.ctx.block_concurrency_while(lambda: outer(self))
        Stage.heard.append("event")

    Stage.steps = {"block": block}
    await harness.ready(kind)
    blocking = harness.run(kind, "block")
    begin(harness.stub(kind, "a").say("second"))
    await harness.settle()
    inside.set_result(None)
    await blocking
    await harness.settle()
    assert Stage.heard == ["run block", "inner", "outer", "event", "second"]


async def test_051_sections_nest_64_deep_and_no_deeper(harness: StageHarness, kind: str) -> None:
    """64 nested sections are allowed; the 65th is an error to catch, which resets nothing."""

    async def nest(self: Stage, depth: int) -> int:
        try:
            return await self.ctx.block_concurrency_while(lambda: nest(self, depth + 1))
        except RuntimeError:
            return depth

    async def block(self: Stage) -> int:
        return await nest(self, 0)

    Stage.steps = {"block": block}
    assert await harness.run(kind, "block") == 64
    await harness.stub(kind, "a").say("still here")
    assert Stage.starts == 1


async def test_052_two_sections_of_one_event_run_one_after_the_other(
    harness: StageHarness, kind: str
) -> None:
    """Two sections that one event starts run one after the other."""
    turns = [future(), future()]

    async def section(number: int) -> None:
        Stage.heard.append(f"begin {number}")
        await turns[number]
        Stage.heard.append(f"end {number}")

    async def block(self: Stage) -> None:
        first = self.ctx.block_concurrency_while(lambda: section(0))
        self.ctx.block_concurrency_while(lambda: section(1))
        await first
        Stage.heard.append("between")

    Stage.steps = {"block": block}
    await harness.ready(kind)
    blocking = harness.run(kind, "block")
    await harness.settle()
    turns[1].set_result(None)
    await harness.settle()
    assert Stage.heard == ["run block", "begin 0"]
    turns[0].set_result(None)
    await blocking
    assert Stage.heard == ["run block", "begin 0", "end 0", "between", "begin 1", "end 1"]


@pytest.mark.parametrize("how", ["a request", "a start"])
async def test_an_aborted_room_is_what_the_others_hear_of_a_section_in_a_start(
    harness: StageHarness, kind: str, how: str
) -> None:
    async def fail() -> None:
        raise ValueError("no start")

    def init(self: Stage) -> None:
        self.ctx.block_concurrency_while(fail)

    Stage.steps = {"init": init}
    asking = begin(harness.room(kind, "a") if how == "a start" else harness.stub(kind, "a").say(""))
    with pytest.raises((ObjectFault, RoomAborted), match="no start"):
        await asking
    assert Stage.heard == []
