"""The way of one stub's calls, handed over to a list that the test holds."""

from collections.abc import AsyncIterator

import pytest

from app.cluster.finder import OwnerFinder
from app.cluster.lanes import StubLane
from app.cluster.link import Link
from app.core.errors import CallDeadlock, Overloaded, RoomAborted
from app.core.tasks import TaskOwner
from app.room.outgoing import OutgoingCall, Rpc
from app.room.room import Room
from app.testing.harness import ObjectHarness
from tests.unit.cluster.calling import Node


class Handed:
    """A `HandOver` that keeps what it is given."""

    def __init__(self) -> None:
        self.calls: list[OutgoingCall] = []

    @property
    def names(self) -> str:
        return "".join(call.id for call in self.calls)

    def to_room(self, lane: StubLane, call: OutgoingCall, room: Room) -> None:
        assert room.object_id == lane.target
        self.calls.append(call)

    def to_link(self, lane: StubLane, call: OutgoingCall, link: Link, *, again: bool) -> None:
        raise AssertionError("there are no links")


class Bench:
    """A lane to a live object."""

    def __init__(self, harness: ObjectHarness) -> None:
        self.harness = harness
        self.handed = Handed()
        self.tasks = TaskOwner("bench")
        self.lane = StubLane(
            lane_id="lane",
            target=harness.object_id("node", "a"),
            registry=harness.registry,
            finder=OwnerFinder(harness.registry, clock=harness.clock, patience_seconds=4.0),
            hand_over=self.handed,
            tasks=self.tasks,
        )

    def send(self, names: str, *, size_bytes: int = 0) -> list[OutgoingCall]:
        calls = [
            OutgoingCall(
                call_id=name,
                caller=None,
                target=self.lane.target,
                body=Rpc("note", bytes(size_bytes)),
                seconds=10.0,
                clock=self.harness.clock,
            )
            for name in names
        ]
        for call in calls:
            self.lane.send(call)
        return calls


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with ObjectHarness({"node": Node}) as harness:
        await harness.room("node", "a")
        made = Bench(harness)
        yield made
        await made.tasks.close()


async def test_calls_to_a_live_object_are_handed_over_in_the_step_that_sends_them(
    bench: Bench,
) -> None:
    bench.send("abc")
    assert bench.handed.names == "abc"


async def test_a_call_that_comes_back_waits_for_the_later_ones_and_goes_before_them(
    bench: Bench,
) -> None:
    a, b, c = bench.send("abc")
    bench.lane.not_begun(a, RoomAborted())
    (d,) = bench.send("d")
    await bench.harness.advance(1.0)
    assert bench.handed.names == "abc"
    bench.lane.not_begun(c, RoomAborted())
    await bench.harness.advance(1.0)
    assert bench.handed.names == "abc"
    bench.lane.not_begun(b, RoomAborted())
    await bench.harness.advance(1.0)
    assert bench.handed.names == "abcabcd"
    for call in (a, b, c, d):
        bench.lane.resolved(call, b"\x01null")
        assert call.over


async def test_a_later_call_that_times_out_is_waited_for_no_more(bench: Bench) -> None:
    a, b = bench.send("ab")
    bench.lane.not_begun(a, RoomAborted())
    await bench.harness.settle()
    b.fail(RoomAborted("as a deadline would"))
    await bench.harness.advance(1.0)
    assert bench.handed.names == "aba"


async def test_a_call_that_nobody_waits_for_is_not_made_again(bench: Bench) -> None:
    a, b = bench.send("ab")
    a.answer.cancel()
    bench.lane.not_begun(a, RoomAborted())
    bench.lane.not_begun(b, RoomAborted())
    await bench.harness.advance(1.0)
    assert bench.handed.names == "abb"


async def test_what_was_refused_for_another_reason_is_not_made_again(bench: Bench) -> None:
    (a,) = bench.send("a")
    bench.lane.not_begun(a, CallDeadlock())
    await bench.harness.advance(1.0)
    assert bench.handed.names == "a"
    with pytest.raises(CallDeadlock):
        await a.answer


async def test_the_bytes_of_calls_that_ended_count_no_more(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cluster.lanes.CALLS_WAITING_BYTES", 100)
    a, b = bench.send("ab", size_bytes=60)
    with pytest.raises(Overloaded):
        await b.answer
    bench.lane.failed(a, RoomAborted())
    (c,) = bench.send("c", size_bytes=60)
    bench.lane.not_begun(c, RoomAborted())
    c.answer.cancel()
    await bench.harness.advance(1.0)
    bench.send("d", size_bytes=60)
    assert bench.handed.names == "acd"
