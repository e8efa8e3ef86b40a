"""C: the input gate. What may run while an event waits, by the rules of `interleave = True`."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.sdk import CallRefused, Connection, Request
from tests.conformance.gate_stage import Stage, StageHarness, begin, future
from tests.conformance.verdicts import not_offered


async def _read(self: Stage) -> Any:
    value = await self.storage.get("key")
    Stage.heard.append("read")
    return value


@pytest.mark.parametrize("kind", ["plain", "free"])
async def test_031_no_event_starts_while_another_one_waits_for_storage(
    harness: StageHarness, kind: str
) -> None:
    """While an event waits for a read of storage, no other event of the object starts."""
    await harness.ready(kind)
    Stage.steps = {"read": _read}
    harness.slow.reads.clear()
    reading = harness.run(kind, "read")
    await harness.settle()
    begin(harness.stub(kind, "a").say("second"))
    await harness.settle()
    assert Stage.heard == ["run read"]
    harness.slow.reads.set()
    await reading
    await harness.settle()
    assert Stage.heard == ["run read", "read", "second"]


@pytest.mark.parametrize("kind", ["plain", "free"])
async def test_no_event_starts_between_two_reads_that_follow_one_another(
    harness: StageHarness, kind: str
) -> None:
    async def read_two(self: Stage) -> Any:
        await self.storage.get("first")
        harness.slow.reads.clear()
        await self.storage.get("second")
        Stage.heard.append("read")

    await harness.ready(kind)
    Stage.steps = {"read": read_two}
    harness.slow.reads.clear()
    reading = harness.run(kind, "read")
    await harness.settle()
    begin(harness.stub(kind, "a").say("second"))
    await harness.settle()
    harness.slow.reads.set()
    await harness.settle()
    assert Stage.heard == ["run read"]
    harness.slow.reads.set()
    await reading
    await harness.settle()
    assert Stage.heard == ["run read", "read", "second"]


@pytest.mark.parametrize("kind", ["plain", "free"])
async def test_032_nothing_is_lost_between_a_read_and_its_write(
    harness: StageHarness, kind: str
) -> None:
    """A read and a write that depends on it lose nothing, with 100 callers at once."""

    async def add(self: Stage) -> None:
        count = await self.storage.get("count", 0)
        self.storage.put("count", count + 1)

    await harness.ready(kind)
    Stage.steps = {"add": add}
    calls = [harness.run(kind, "add") for _ in range(100)]
    await asyncio.gather(*calls)
    assert harness.contents(kind, "a") == {"count": 100}


async def test_033_another_event_runs_while_one_waits_for_anything_else(
    harness: StageHarness,
) -> None:
    """While an event waits for something that is not storage, another event may run."""
    call = future()

    async def wait(_self: Stage) -> Any:
        return await call

    await harness.ready("free")
    Stage.steps = {"wait": wait}
    waiting = harness.run("free", "wait")
    await harness.settle()
    assert await harness.stub("free", "a").say("second") == "second"
    assert not waiting.done()
    call.set_result("late")
    assert await waiting == "late"


async def test_034_a_read_may_let_others_run(harness: StageHarness) -> None:
    """A read with `allow_concurrency` lets another event start while it waits."""

    async def read(self: Stage) -> Any:
        await self.storage.get("key", allow_concurrency=True)
        await self.storage.get_many(["key", "other"], allow_concurrency=True)
        await self.storage.list(allow_concurrency=True)
        Stage.heard.append("read")

    await harness.ready("free")
    Stage.steps = {"read": read}
    harness.slow.reads.clear()
    reading = harness.run("free", "read")
    await harness.settle()
    assert await harness.stub("free", "a").say("second") == "second"
    harness.slow.reads.set()
    await reading
    assert Stage.heard == ["run read", "second", "read"]


@pytest.mark.parametrize("kind", ["plain", "free"])
async def test_035_waiting_events_start_in_the_order_they_came(
    harness: StageHarness, kind: str
) -> None:
    """Events that had to wait start in the order in which they came."""
    await harness.ready(kind)
    Stage.steps = {"read": _read}
    harness.slow.reads.clear()
    harness.run(kind, "read")
    words = [str(number) for number in range(10)]
    await harness.settle()
    for word in words:
        begin(harness.stub(kind, "a").say(word))
    harness.slow.reads.set()
    await harness.settle()
    assert Stage.heard == ["run read", "read", *words]


@pytest.mark.parametrize("kind", ["plain", "free"])
async def test_036_an_event_that_is_given_up_disturbs_no_order(
    harness: StageHarness, kind: str
) -> None:
    """A caller that gives up while its event waits does not disturb the order of the others."""
    await harness.ready(kind)
    Stage.steps = {"read": _read}
    harness.slow.reads.clear()
    harness.run(kind, "read")
    await harness.settle()
    calls = [begin(harness.stub(kind, "a").say(word)) for word in "abcd"]
    await harness.settle()
    calls[1].cancel()
    await harness.settle()
    harness.slow.reads.set()
    await harness.settle()
    assert [word for word in Stage.heard if word in "acd"] == ["a", "c", "d"]


@pytest.mark.parametrize("way", ["a call", "a sleep"])
async def test_037_a_reply_waits_for_the_read_that_is_under_way(
    harness: StageHarness, way: str
) -> None:
    """Code that waits for a call, or anything, goes on only after a read of another event."""
    slept = future()

    async def ask(self: Stage) -> None:
        if way == "a call":
            await self.ctx.namespace("free").get_by_name("b").say("called")
        else:
            await slept
        Stage.heard.append("replied")

    await harness.ready("free")
    await harness.ready("free", "b")
    Stage.steps = {"ask": ask, "read": _read}
    asking = harness.run("free", "ask")
    harness.slow.reads.clear()
    reading = harness.run("free", "read")
    await harness.settle()
    slept.set_result(None)
    await harness.settle()
    assert not asking.done()
    assert "replied" not in Stage.heard
    harness.slow.reads.set()
    await asyncio.gather(reading, asking)
    assert Stage.heard[-2:] == ["read", "replied"]


@pytest.mark.parametrize("kind", ["plain", "free"])
async def test_038_calls_on_one_stub_run_in_the_order_they_were_made(
    harness: StageHarness, kind: str
) -> None:
    """Calls made on one stub without awaiting run in the order in which they were made."""

    async def call(self: Stage) -> None:
        stub = self.ctx.namespace(kind).get_by_name("b")
        for number in range(20):
            begin(stub.say(str(number)))

    Stage.steps = {"call": call}
    await harness.ready(kind, "b")
    await harness.run(kind, "call")
    await harness.settle()
    assert Stage.heard[-20:] == [str(number) for number in range(20)]


@not_offered("arguments are whole values; only a client's request comes as a stream")
async def test_039_a_stream_as_an_argument_is_refused_and_the_others_keep_their_order(
    harness: StageHarness,
) -> None:
    """Calls on one stub stay in order when some arguments are streams."""

    async def call(self: Stage) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"piece"

        stub = self.ctx.namespace("free").get_by_name("b")
        begin(stub.say("first"))
        with pytest.raises(CallRefused):
            begin(stub.say(pieces()))
        with pytest.raises(CallRefused):
            begin(stub.fetch(Request(pieces=pieces())))
        begin(stub.say("last"))

    Stage.steps = {"call": call}
    await harness.ready("free", "b")
    await harness.run("free", "call")
    await harness.settle()
    assert Stage.heard[-2:] == ["first", "last"]


async def test_040_a_blocked_object_delays_no_other(harness: StageHarness) -> None:
    """Objects are independent: one that is blocked does not delay another."""
    await harness.ready("free")
    Stage.steps = {"read": _read}
    harness.slow.reads.clear()
    reading = harness.run("free", "read")
    await harness.settle()
    assert await harness.stub("free", "b").say("here") == "here"
    assert not reading.done()
    harness.slow.reads.set()
    await reading


@pytest.mark.parametrize("kind", ["plain", "free"])
@pytest.mark.parametrize("what", ["a timer", "an event", "work in the background"])
async def test_197_what_is_pending_keeps_an_object_in_memory(
    harness: StageHarness, kind: str, what: str
) -> None:
    """A pending timer, a running event and background work keep an object from hibernating."""
    over = future()

    async def wait(self: Stage) -> None:
        if what == "a timer":
            self.ctx.call_later(25.0, lambda: None)
        elif what == "work in the background":
            self.ctx.wait_until(over)
        else:
            await over

    Stage.steps = {"wait": wait}
    await harness.connect(kind, "a")
    waiting = begin(harness.request(kind, "a", Request(path="wait")))
    await harness.advance(20.0)
    room = harness.live_room(kind, "a")
    assert room is not None
    assert room.awake
    over.set_result(None)
    await waiting
    await harness.advance(20.0)
    assert not room.awake


async def test_186_messages_overlap_where_they_wait_for_something_else_than_storage(
    harness: StageHarness,
) -> None:
    """A message's event that waits for other things than storage may overlap with the next's."""
    call = future()

    async def wait(_self: Stage, connection: Connection) -> None:
        await call
        connection.send("waited")

    async def read(self: Stage, connection: Connection) -> None:
        await self.storage.get("key")
        connection.send("read")

    async def quick(_self: Stage, connection: Connection) -> None:
        connection.send("quick")

    await harness.ready("free")
    socket = await harness.connect("free", "a")
    Stage.steps = {"wait": wait, "read": read, "quick": quick}
    socket.say("wait")
    await harness.settle()
    harness.slow.reads.clear()
    socket.say("read")
    socket.say("quick")
    call.set_result(None)
    await harness.settle()
    assert socket.take() == []
    harness.slow.reads.set()
    await harness.settle()
    assert socket.take() == ["read", "quick", "waited"]
