"""Calls between objects of one worker: when they leave, in which order, and how they end."""

import asyncio
from typing import Any

import pytest

from app.core.errors import (
    CallTimedOut,
    ObjectFault,
    Overloaded,
    OwnershipLost,
    RoomAborted,
)
from app.core.values import CommitResult
from app.sdk import DurableObject, Stub
from app.testing.harness import ObjectHarness
from tests.unit.cluster.calling import Node, start


async def test_a_call_waits_for_the_commit_of_what_was_written_before_it(
    harness: ObjectHarness,
) -> None:
    async def write_and_call(node: Node) -> Any:
        node.ctx.storage.put("mine", 1)
        return await node.other("b").echo("x")

    Node.steps = {"go": write_and_call}
    await harness.room("node", "a")
    await harness.room("node", "b")
    harness.committer.hold()
    going = start(harness.stub("node", "a").do("go"))
    await harness.settle()
    assert Node.log == []
    harness.committer.commit_now()
    await harness.settle()
    assert Node.log == ["echo 'x'"]
    assert await going == "x"


async def test_without_writes_a_call_waits_for_no_commit(harness: ObjectHarness) -> None:
    async def call(node: Node) -> Any:
        return await node.other("b").echo("x")

    Node.steps = {"go": call}
    await harness.room("node", "a")
    harness.committer.hold()
    assert await harness.stub("node", "a").do("go") == "x"


async def test_54_the_answer_of_the_callee_waits_for_its_commit(harness: ObjectHarness) -> None:
    await harness.room("node", "b")
    harness.committer.hold()
    adding = start(harness.stub("node", "b").add(1))
    await harness.settle()
    assert not adding.done()
    harness.committer.commit_now()
    assert await adding == 1


async def test_an_awaited_call_is_a_commit_point(harness: ObjectHarness) -> None:
    async def write_call_and_fail(node: Node) -> None:
        node.ctx.storage.put("before", 1)
        await node.other("b").echo("x")
        node.ctx.storage.put("after", 1)
        raise ValueError

    Node.steps = {"go": write_call_and_fail}
    with pytest.raises(ObjectFault):
        await harness.stub("node", "a").do("go")
    assert harness.contents("node", "a") == {"before": 1}


async def test_a_call_that_was_not_awaited_leaves_with_its_event_or_is_undone_with_it(
    harness: ObjectHarness,
) -> None:
    async def tell(node: Node) -> None:
        _ = node.other("b").note("told")

    async def tell_and_fail(node: Node) -> None:
        _ = node.other("b").note("never")
        raise ValueError

    Node.steps = {"tell": tell, "fail": tell_and_fail}
    await harness.stub("node", "a").do("tell")
    await harness.settle()
    assert Node.log == ["told"]
    with pytest.raises(ObjectFault):
        await harness.stub("node", "a").do("fail")
    await harness.advance(0.1)
    assert Node.log == ["told"]


async def test_a_call_cannot_be_awaited_inside_a_transaction(harness: ObjectHarness) -> None:
    async def call_inside(node: Node) -> None:
        async with node.ctx.storage.transaction():
            node.ctx.storage.put("key", 1)
            await node.other("b").note("never")

    Node.steps = {"go": call_inside}
    with pytest.raises(ObjectFault, match="TransactionOpen"):
        await harness.stub("node", "a").do("go")
    await harness.settle()
    assert Node.log == []


async def test_calls_on_one_stub_arrive_in_the_order_they_were_made(
    harness: ObjectHarness,
) -> None:
    stub = harness.stub("node", "b")  # not live yet: the first one starts it
    calls = [stub.note(str(number)) for number in range(20)]
    await asyncio.gather(*reversed(calls))
    assert Node.log == [str(number) for number in range(20)]

    async def many(node: Node) -> None:
        other = node.other("c")
        made = [other.note(f"c{number}") for number in range(20)]
        async with asyncio.TaskGroup() as group:
            for call in reversed(made):
                group.create_task(call)

    Node.steps = {"many": many}
    Node.log = []
    await harness.stub("node", "a").do("many")
    assert Node.log == [f"c{number}" for number in range(20)]


async def test_a_result_may_be_awaited_more_than_once(harness: ObjectHarness) -> None:
    call = harness.stub("node", "a").add(1)
    assert await call == await call == 1


async def test_the_deadline_frees_the_caller(harness: ObjectHarness) -> None:
    Node.gates = {"never": asyncio.Event()}
    await harness.room("node", "b")
    calling = start(harness.stub("node", "b").wait("never"))
    await harness.settle()
    await harness.advance(9.5)
    assert not calling.done()
    await harness.advance(0.5)
    with pytest.raises(CallTimedOut, match="node/b did not answer within 10 seconds") as caught:
        await calling
    assert caught.value.retryable
    assert not caught.value.remote
    Node.gates["never"].set()
    await harness.settle()


async def test_the_deadline_of_a_stub_may_be_shorter(harness: ObjectHarness) -> None:
    Node.gates = {"never": asyncio.Event()}

    async def ask(node: Node) -> str:
        try:
            return str(await node.other("b", deadline_seconds=1.0).wait("never"))
        except CallTimedOut:
            return "too late"

    Node.steps = {"ask": ask}
    asking = start(harness.stub("node", "a").do("ask"))
    await harness.settle()
    await harness.advance(1.0)
    assert await asking == "too late"
    Node.gates["never"].set()
    await harness.settle()


async def test_the_room_of_the_caller_may_go_while_it_waits(harness: ObjectHarness) -> None:
    Node.gates = {"gate": asyncio.Event()}
    errors: list[BaseException] = []

    async def ask(node: Node) -> None:
        try:
            await node.other("b").wait("gate")
        except RoomAborted as error:
            errors.append(error)
            raise

    Node.steps = {"ask": ask}
    asking = start(harness.stub("node", "a").do("ask"))
    await harness.settle()
    room = harness.live_room("node", "a")
    assert room is not None
    room.abort(RoomAborted("lost"))
    with pytest.raises(RoomAborted, match="lost"):
        await asking
    await harness.settle()
    assert len(errors) == 1
    Node.gates["gate"].set()
    await harness.settle()


async def test_a_caller_whose_commit_fails_never_calls(harness: ObjectHarness) -> None:
    async def write_and_call(node: Node) -> None:
        node.ctx.storage.put("mine", 1)
        await node.other("b").note("never")

    Node.steps = {"go": write_and_call}
    await harness.room("node", "a")
    harness.committer.fail_next(CommitResult.LOST)
    with pytest.raises(OwnershipLost):
        await harness.stub("node", "a").do("go")
    await harness.settle()
    assert Node.log == []


async def test_a_sleeping_object_is_woken_by_a_call(harness: ObjectHarness) -> None:
    stub = harness.stub("node", "a")
    await stub.add(5)
    await harness.rest("node", "a")
    assert await stub.total() == 5


async def test_a_call_that_had_not_begun_is_made_again_when_the_room_is_lost(
    harness: ObjectHarness,
) -> None:
    Node.gates = {"gate": asyncio.Event()}
    stub = harness.stub("node", "a")
    running = start(stub.wait("gate"))
    await harness.settle()
    waiting = [stub.note(f"{number}") for number in range(5)]
    await harness.settle()
    room = harness.live_room("node", "a")
    assert room is not None
    room.abort(RoomAborted("lost"))
    waiting.append(stub.note("5"))
    with pytest.raises(RoomAborted, match="lost"):
        await running
    await harness.advance(1.0)
    await asyncio.gather(*waiting)
    assert Node.log == ["waits gate", *"012345"]
    Node.gates["gate"].set()
    await harness.settle()


async def test_an_instance_that_is_over_calls_nobody(harness: ObjectHarness) -> None:
    kept: list[Stub] = []

    async def keep(node: Node) -> None:
        kept.append(node.other("b"))

    Node.steps = {"keep": keep}
    await harness.stub("node", "a").do("keep")
    await harness.rest("node", "a")
    with pytest.raises(RoomAborted, match="over"):
        _ = kept[0].note("never")


async def test_a_plain_hook_may_call_without_waiting() -> None:
    class Plain(DurableObject):
        def on_message(self, connection: object, message: str | bytes) -> None:
            _ = self.ctx.namespace("node").get_by_name("b").note(str(message))

    Node.log = []
    async with ObjectHarness({"plain": Plain, "node": Node}) as harness:
        client = await harness.connect("plain", "a")
        client.say("hello")
        await harness.settle()
        assert Node.log == ["hello"]


async def test_too_many_calls_without_an_answer_are_refused(
    harness: ObjectHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cluster.lanes.CALLS_WAITING", 3)
    stub = harness.stub("node", "a")
    calls = [stub.add(1) for _ in range(5)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert outcomes[:3] == [1, 2, 3]
    assert all(isinstance(outcome, Overloaded) for outcome in outcomes[3:])
    assert await stub.add(1) == 4


async def test_what_is_too_large_to_wait_is_refused(
    harness: ObjectHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cluster.lanes.CALLS_WAITING_BYTES", 1_000)
    stub = harness.stub("node", "a")
    first, second = stub.echo("x" * 600), stub.echo("y" * 600)
    assert await first == "x" * 600
    with pytest.raises(Overloaded):
        await second
    assert await stub.echo("z" * 600) == "z" * 600


async def test_nothing_of_rooms_that_are_over_is_kept(harness: ObjectHarness) -> None:
    Node.gates = {"gate": asyncio.Event()}

    async def ask(node: Node) -> None:
        await node.other("b").wait("gate")

    Node.steps = {"ask": ask}
    asking = start(harness.stub("node", "a").do("ask"))
    await harness.settle()
    for name in "ab":
        room = harness.live_room("node", name)
        assert room is not None
        room.abort(RoomAborted("lost"))
    with pytest.raises(RoomAborted):
        await asking
    Node.gates["gate"].set()
    await harness.settle()
    assert harness.calls._prober._arrivals == {}
    assert harness.calls._prober._awaited == {}


async def test_a_background_task_that_calls_does_not_end_the_unit_of_an_event(
    harness: ObjectHarness,
) -> None:
    Node.gates = {"background": asyncio.Event(), "event": asyncio.Event()}
    background: list[asyncio.Task[Any]] = []

    async def leave_a_task(node: Node) -> None:
        async def call_later() -> str:
            await Node.gates["background"].wait()
            return str(await node.other("b").echo("x"))

        background.append(start(call_later()))

    async def write_and_fail(node: Node) -> None:
        node.ctx.storage.put("never", 1)
        Node.gates["background"].set()
        await Node.gates["event"].wait()
        raise ValueError

    Node.steps = {"leave": leave_a_task, "fail": write_and_fail}
    await harness.stub("node", "a").do("leave")
    failing = start(harness.stub("node", "a").do("fail"))
    await harness.settle()
    Node.gates["event"].set()
    with pytest.raises(ObjectFault):
        await failing
    with pytest.raises(RoomAborted, match="over"):
        await background[0]
    await harness.settle()
    assert harness.contents("node", "a") == {}
    assert Node.log == []


async def test_a_call_of_a_finished_event_leaves_although_a_later_event_raised(
    harness: ObjectHarness,
) -> None:
    async def write_and_tell(node: Node) -> None:
        node.ctx.storage.put("key", 1)
        _ = node.other("b").note("told")

    async def fail(_node: Node) -> None:
        raise ValueError

    Node.steps = {"tell": write_and_tell, "fail": fail}
    for name in "ab":
        await harness.room("node", name)
    harness.committer.hold()
    both = [start(harness.stub("node", "a").do(step)) for step in ("tell", "fail")]
    await harness.settle()
    assert Node.log == []
    harness.committer.release()
    await harness.settle()
    assert Node.log == ["told"]
    with pytest.raises(ObjectFault):
        await both[1]
    await both[0]


async def test_a_call_that_nobody_waits_for_any_more_does_not_begin(
    harness: ObjectHarness,
) -> None:
    Node.gates = {"gate": asyncio.Event()}
    stub = harness.stubs.namespace("node").get_by_name("b", deadline_seconds=5.0)
    patient = harness.stubs.namespace("node").get_by_name("b", deadline_seconds=60.0)
    running, vain, late = start(stub.wait("gate")), start(stub.note("vain")), patient.note("late")
    _ = stub.note("unheard")  # nobody ever waits for it: it runs when its turn comes
    await harness.settle()
    await harness.advance(5.0)
    for call in (running, vain):
        with pytest.raises(CallTimedOut):
            await call
    Node.gates["gate"].set()
    await late
    await harness.settle()
    assert sorted(Node.log) == ["late", "unheard", "waits gate"]
