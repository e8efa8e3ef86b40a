"""N: what goes on beside the events, and what keeps an object in memory."""

import asyncio
from typing import Any

import pytest

from app.core.errors import ObjectFault, RoomAborted
from app.room.limits import RoomLimits
from app.sdk import Overloaded
from tests.conformance.gate_stage import Stage, StageHarness, begin, future
from tests.conformance.verdicts import differs


@differs("a pending timer keeps the object in memory, as the platform's newer rule has it")
async def test_217_a_repeating_timer_keeps_its_object_in_memory(
    harness: StageHarness, kind: str
) -> None:
    """A repeating timer does not keep an object in memory when no client is connected."""

    def tick(self: Stage) -> None:
        Stage.heard.append("tick")
        self.ctx.call_later(5.0, lambda: tick(self))

    async def repeat(self: Stage) -> None:
        tick(self)

    Stage.steps = {"repeat": repeat}
    await harness.run(kind, "repeat")
    await harness.advance(150.0)
    assert Stage.heard.count("tick") > 25
    assert Stage.starts == 1


async def test_218_waiting_for_somebody_outside_keeps_it_up_to_15_minutes(
    harness: StageHarness, kind: str
) -> None:
    """Work that waits for somebody outside keeps the object in memory for up to 15 minutes."""

    async def ask(self: Stage) -> None:
        self.ctx.wait_until(future())

    Stage.steps = {"ask": ask}
    await harness.run(kind, "ask")
    await harness.advance(890.0)
    assert harness.live_room(kind, "a") is not None
    await harness.advance(90.0)  # on_evict is an event: the rest begins again after it
    assert harness.live_room(kind, "a") is None


async def test_219_work_in_the_background_never_delays_the_answer(
    harness: StageHarness, kind: str
) -> None:
    """What is given to `wait_until` never delays the answer, and goes on after it."""
    over = future()

    async def work(self: Stage) -> None:
        self.storage.put("began", 1)
        await over
        self.storage.put("ended", 1)

    async def ask(self: Stage) -> str:
        self.ctx.wait_until(work(self))
        return "answer"

    Stage.steps = {"ask": ask}
    assert await harness.run(kind, "ask") == "answer"
    await harness.settle()
    assert harness.contents(kind, "a") == {"began": 1}
    over.set_result(None)
    await harness.settle()
    assert harness.contents(kind, "a") == {"began": 1, "ended": 1}


async def test_background_work_is_not_undone_with_an_event_that_raises(
    harness: StageHarness,
) -> None:
    """Its steps run between events, never inside of one, and each is a unit of its own."""
    turn, step, over = future(), future(), future()

    async def work(self: Stage) -> None:
        await step
        self.storage.put("background", 1)
        Stage.heard.append("background")
        await over

    async def begin_work(self: Stage) -> None:
        self.ctx.wait_until(work(self))

    async def fail(self: Stage) -> None:
        self.storage.put("event", 1)
        await turn
        Stage.heard.append("event")
        raise ValueError("undone")

    Stage.steps = {"work": begin_work, "fail": fail}
    await harness.run("plain", "work")
    failing = harness.run("plain", "fail")
    await harness.settle()
    step.set_result(None)
    await harness.settle()
    assert "background" not in Stage.heard
    begin(harness.stub("plain", "a").say("next"))
    turn.set_result(None)
    with pytest.raises(ObjectFault):
        await failing
    await harness.settle()
    assert "background" not in Stage.heard, "it ended with its instance"
    assert harness.contents("plain", "a") == {}


async def test_a_step_in_the_background_runs_between_two_events(harness: StageHarness) -> None:
    turn, step = future(), future()

    async def work(self: Stage) -> None:
        await step
        self.storage.put("background", 1)
        Stage.heard.append("background")

    async def begin_work(self: Stage) -> None:
        self.ctx.wait_until(work(self))

    async def wait(_self: Stage) -> None:
        await turn
        Stage.heard.append("event")

    async def fail(_self: Stage) -> None:
        raise ValueError("undone")

    Stage.steps = {"work": begin_work, "wait": wait, "fail": fail}
    await harness.run("plain", "work")
    waiting = harness.run("plain", "wait")
    await harness.settle()
    step.set_result(None)
    await harness.settle()
    failing = harness.run("plain", "fail")
    await harness.settle()
    turn.set_result(None)
    await waiting
    with pytest.raises(ObjectFault):
        await failing
    assert [word for word in Stage.heard if word != "start"] == [
        "run work",
        "run wait",
        "event",
        "background",
        "run fail",
    ]
    assert harness.contents("plain", "a") == {"background": 1}


async def test_no_event_comes_between_a_read_in_the_background_and_its_write(
    harness: StageHarness, kind: str
) -> None:
    async def add(self: Stage) -> None:
        count = await self.storage.get("count", 0)
        self.storage.put("count", count + 1)

    async def in_background(self: Stage) -> None:
        self.ctx.wait_until(add(self))

    await harness.ready(kind)
    Stage.steps = {"add": add, "beside": in_background}
    harness.slow.reads.clear()
    calls = [harness.run(kind, step) for _ in range(10) for step in ("beside", "add")]
    await harness.settle()
    harness.slow.reads.set()
    await asyncio.gather(*calls)
    await harness.settle()
    assert harness.contents(kind, "a") == {"count": 20}


async def test_a_transaction_in_the_background_holds_the_gate(
    harness: StageHarness, kind: str
) -> None:
    inside = future()

    async def work(self: Stage) -> None:
        async with self.storage.transaction():
            self.storage.put("a", 1)
            await inside
            self.storage.put("b", 1)
        Stage.heard.append("transaction")

    async def in_background(self: Stage) -> None:
        self.ctx.wait_until(work(self))

    Stage.steps = {"work": in_background}
    await harness.run(kind, "work")
    calls = [begin(harness.stub(kind, "a").say("event"))]
    socket = begin(harness.connect(kind, "a"))
    await harness.settle()
    assert Stage.heard == ["start", "run work"]
    assert harness.contents(kind, "a") == {}
    inside.set_result(None)
    await asyncio.gather(socket, *calls)
    assert Stage.heard == ["start", "run work", "transaction", "event"]
    assert harness.contents(kind, "a") == {"a": 1, "b": 1}


async def test_an_exception_in_the_background_harms_nothing(
    harness: StageHarness, kind: str
) -> None:
    async def fail(self: Stage) -> None:
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)
        self.storage.put("before", 1)
        raise ValueError("never mind")

    async def ask(self: Stage) -> None:
        self.ctx.wait_until(fail(self))

    Stage.steps = {"ask": ask}
    await harness.run(kind, "ask")
    while not harness.counted["object_faults"]:
        await harness.settle()
    await harness.stub(kind, "a").say("still here")
    assert Stage.starts == 1
    assert harness.contents(kind, "a") == {"before": 1}


async def test_background_work_is_cancelled_with_the_instance(
    harness: StageHarness, kind: str
) -> None:
    async def work() -> None:
        try:
            await future()
        finally:
            Stage.heard.append("over")

    async def ask(self: Stage) -> None:
        self.ctx.wait_until(work())

    Stage.steps = {"ask": ask}
    await harness.run(kind, "ask")
    await harness.registry.drain(deadline_seconds=5.0)
    await harness.settle()
    assert Stage.heard[-1] == "over"


async def test_background_work_has_a_limit_in_time_and_number(kind: str) -> None:
    async def work() -> None:
        try:
            await future()
        finally:
            Stage.heard.append("over")

    async def ask(self: Stage, count: int) -> None:
        for _ in range(count):
            self.ctx.wait_until(work())

    async with StageHarness(limits=RoomLimits(background_seconds=60.0)) as harness:
        Stage.steps = {"ask": ask}
        await harness.run(kind, "ask", 1_000)
        with pytest.raises(Overloaded):
            await harness.run(kind, "ask", 1_001)
        await harness.advance(61.0)
        assert Stage.heard.count("over") == 1_000


async def test_an_instance_that_is_over_takes_no_more_work(harness: StageHarness) -> None:
    kept: list[Any] = []

    async def keep(self: Stage) -> None:
        kept.append(self)
        raise ValueError("it is over")

    async def work() -> None:
        raise AssertionError("it must not run")

    Stage.steps = {"keep": keep}
    with pytest.raises(ObjectFault):
        await harness.run("plain", "keep")
    with pytest.raises(RoomAborted, match="over"):
        kept[0].ctx.wait_until(work())
    with pytest.raises(RoomAborted, match="over"):
        kept[0].ctx.block_concurrency_while(work)
