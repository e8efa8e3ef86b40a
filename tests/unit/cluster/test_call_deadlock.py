"""Calls that wait for one another in one worker, and those that only seem to."""

import asyncio
from typing import Any

import pytest

from app.core.errors import (
    CallDeadlock,
)
from app.sdk import DurableObject
from app.testing.harness import ObjectHarness
from tests.unit.cluster.calling import Node, start


async def test_self_calls_are_refused_at_once(harness: ObjectHarness) -> None:
    async def call_myself(node: Node) -> Any:
        return await node.other("a").total()

    Node.steps = {"go": call_myself}
    with pytest.raises(CallDeadlock, match="node/a waits for node/a"):
        await harness.stub("node", "a").do("go")


async def test_a_call_of_oneself_that_is_not_awaited_runs_afterwards(
    harness: ObjectHarness,
) -> None:
    async def tell_myself(node: Node) -> str:
        _ = node.other("a").note("later")
        return "first"

    Node.steps = {"go": tell_myself}
    assert await harness.stub("node", "a").do("go") == "first"
    await harness.settle()
    assert Node.log == ["later"]


async def test_two_that_call_each_other_while_they_start_do_not_hang() -> None:
    class Eager(DurableObject):
        async def on_start(self) -> None:
            other = "b" if self.ctx.id.name == "a" else "a"
            self.heard = "nothing"
            try:
                self.heard = await self.ctx.namespace("eager").get_by_name(other).hello()
            except CallDeadlock:
                self.heard = "refused"

        async def hello(self) -> str:
            return f"hello from {self.ctx.id.name}"

        async def heard_what(self) -> str:
            return self.heard

    async with ObjectHarness({"eager": Eager}) as harness:
        first, second = harness.stub("eager", "a"), harness.stub("eager", "b")
        heard = await asyncio.gather(first.heard_what(), second.heard_what())
        assert sum(text == "refused" for text in heard) == 1
        assert sum(text.startswith("hello from") for text in heard) == 1


async def test_of_two_events_that_wait_for_each_other_one_is_refused(
    harness: ObjectHarness,
) -> None:
    Node.gates = {"gate": asyncio.Event()}

    async def call(node: Node) -> str:
        other = "b" if node.ctx.id.name == "a" else "a"
        await Node.gates["gate"].wait()
        try:
            await node.other(other).note(f"from {node.ctx.id.name}")
        except CallDeadlock as error:
            return " ".join(error.ring)
        return "answered"

    Node.steps = {"call": call}
    both = [start(harness.stub("node", name).do("call")) for name in "ab"]
    await harness.settle()
    Node.gates["gate"].set()
    greater, lesser = sorted("ab", key=lambda name: str(harness.object_id("node", name)))[::-1]
    outcomes = dict(zip("ab", await asyncio.gather(*both), strict=True))
    assert outcomes == {greater: f"node/{greater} node/{lesser}", lesser: "answered"}
    assert Node.log == [f"from {lesser}"]


async def test_a_background_task_that_calls_is_no_part_of_a_ring(harness: ObjectHarness) -> None:
    """B's event waits for A, and something of A, but not its event, waits for B: both go on."""
    Node.gates = {"gate": asyncio.Event()}
    background: list[asyncio.Task[Any]] = []

    async def leave_a_task(node: Node) -> None:
        async def call_later() -> str:
            await Node.gates["gate"].wait()
            return str(await node.other("b").echo("for the task"))

        background.append(start(call_later()))

    async def call_a(node: Node) -> str:
        Node.gates["gate"].set()
        return str(await node.other("a").echo("for the event"))

    Node.steps = {"leave": leave_a_task, "call": call_a}
    await harness.stub("node", "a").do("leave")
    assert await harness.stub("node", "b").do("call") == "for the event"
    await harness.settle()
    assert await background[0] == "for the task"


async def test_a_caller_that_gave_up_is_waited_for_by_nobody(harness: ObjectHarness) -> None:
    """A waits for B no more, so B may call A: that is no ring although A's event made the call."""
    Node.gates = {"gave up": asyncio.Event(), "end": asyncio.Event()}

    async def give_up(node: Node) -> str:
        calling = asyncio.ensure_future(node.other("b").do("call back"))  # noqa: TID251 - author's code
        await harness.settle()
        calling.cancel()
        Node.gates["gave up"].set()
        await Node.gates["end"].wait()
        return "ended"

    async def call_back(node: Node) -> None:
        await Node.gates["gave up"].wait()
        await node.other("a").note("from b")

    Node.steps = {"give up": give_up, "call back": call_back}
    first = start(harness.stub("node", "a").do("give up"))
    await harness.settle()
    assert not first.done()
    Node.gates["end"].set()
    assert await first == "ended"
    await harness.settle()
    assert Node.log == ["from b"]


async def test_a_ring_whose_probes_were_lost_is_found_by_those_of_the_next_round(
    harness: ObjectHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    Node.gates = {"gate": asyncio.Event()}

    async def call(node: Node) -> str:
        await Node.gates["gate"].wait()
        other = "b" if node.ctx.id.name == "a" else "a"
        try:
            return str(await node.other(other).echo("answered"))
        except CallDeadlock:
            return "refused"

    Node.steps = {"call": call}
    both = [start(harness.stub("node", name).do("call")) for name in "ab"]
    await harness.settle()
    monkeypatch.setattr("app.cluster.probes._STEPS", 0)
    Node.gates["gate"].set()
    await harness.settle()
    assert not any(task.done() for task in both)
    monkeypatch.undo()
    await harness.advance(1.0)
    assert sorted(await asyncio.gather(*both)) == ["answered", "refused"]
