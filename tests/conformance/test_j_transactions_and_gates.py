"""J: what a transaction means for the other events of its object."""

import asyncio

import pytest

from app.core.errors import SectionTimedOut, StateroomError
from app.sdk import Request
from tests.conformance.gate_stage import Stage, StageHarness, begin, future


async def test_125_no_other_event_runs_while_a_transaction_is_open(
    harness: StageHarness, kind: str
) -> None:
    """While a transaction is open no other event of the object runs."""
    inside = future()

    async def change(self: Stage) -> None:
        async with self.storage.transaction():
            self.storage.put("key", "inside")
            await inside
            Stage.heard.append("inside")

    Stage.steps = {"change": change}
    await harness.ready(kind)
    changing = harness.run(kind, "change")
    await harness.settle()
    begin(harness.stub(kind, "a").say("second"))
    await harness.settle()
    assert Stage.heard == ["run change"]
    inside.set_result(None)
    await changing
    await harness.settle()
    assert Stage.heard == ["run change", "inside", "second"]
    assert harness.contents(kind, "a") == {"key": "inside"}


async def test_126_a_transaction_over_30_seconds_resets_the_object(
    harness: StageHarness, kind: str
) -> None:
    """A transaction that takes longer than 30 seconds resets the object, and stores nothing."""

    async def change(self: Stage) -> None:
        async with self.storage.transaction():
            self.storage.put("key", 1)
            await future()

    Stage.steps = {"change": change}
    changing = begin(harness.request(kind, "a", Request(path="change")))
    await harness.settle()
    await harness.advance(29.5)
    assert not changing.done()
    await harness.advance(1.0)
    with pytest.raises(StateroomError) as caught:
        await changing
    assert caught.value.code == SectionTimedOut.code
    assert caught.value.reset
    assert harness.contents(kind, "a") == {}


async def test_transactions_of_two_tasks_of_one_event_follow_each_other(
    harness: StageHarness, kind: str
) -> None:
    turns = {"good": future(), "bad": future()}

    async def change(self: Stage, name: str) -> None:
        async with self.storage.transaction():
            self.storage.put(name, 1)
            await turns[name]
            if name == "bad":
                raise ValueError("undone")

    async def both(self: Stage) -> None:
        await asyncio.gather(change(self, "bad"), change(self, "good"), return_exceptions=True)

    Stage.steps = {"both": both}
    changing = harness.run(kind, "both")
    await harness.settle()
    turns["good"].set_result(None)
    await harness.settle()
    turns["bad"].set_result(None)
    await changing
    assert harness.contents(kind, "a") == {"good": 1}


async def test_transactions_of_two_events_do_not_mix(harness: StageHarness) -> None:
    turn = future()

    async def change(self: Stage, name: str) -> None:
        async with self.storage.transaction():
            self.storage.put(name, 1)
            await turn
            if name == "bad":
                raise ValueError("undone")

    Stage.steps = {"change": change}
    calls = [harness.run("free", "change", name) for name in ("one", "bad", "two")]
    await harness.settle()
    turn.set_result(None)
    await asyncio.gather(*calls, return_exceptions=True)
    assert harness.contents("free", "a") == {"one": 1, "two": 1}


async def test_an_event_that_leaves_a_transaction_open_fails_and_blocks_nobody(
    harness: StageHarness, kind: str
) -> None:
    async def leave_open(self: Stage) -> None:
        self.storage.put("before", 1)
        await self.storage.transaction().__aenter__()
        self.storage.put("inside", 1)

    Stage.steps = {"leave": leave_open}
    with pytest.raises(StateroomError, match="transaction"):
        await harness.run(kind, "leave")
    assert await harness.stub(kind, "a").say("next") == "next"
    kept = {"before": 1} if kind == "free" else {}
    assert harness.contents(kind, "a") == kept


async def test_a_call_cannot_be_awaited_inside_a_transaction(
    harness: StageHarness, kind: str
) -> None:
    async def change(self: Stage) -> None:
        async with self.storage.transaction():
            await self.ctx.namespace(kind).get_by_name("b").say("never")

    Stage.steps = {"change": change}
    with pytest.raises(StateroomError, match="inside a transaction"):
        await harness.run(kind, "change")
    assert "never" not in Stage.heard
