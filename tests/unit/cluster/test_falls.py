"""An object that throws itself away again and again waits longer and longer; others do not."""

from typing import ClassVar
from uuid import uuid4

import pytest

from app.cluster.falls import Falls
from app.core.errors import LeaseLost, RoomAborted, StateroomError, StorageRefused
from app.sdk import DurableObject
from app.testing.harness import ObjectHarness
from tests.conformance.held import Call, begin


class Falling(DurableObject):
    """Throws itself away when it starts."""

    starts: ClassVar[int] = 0

    def on_start(self) -> None:
        Falling.starts += 1
        self.ctx.abort("as ever")

    async def say(self, word: str) -> str:
        return word


class Steady(DurableObject):
    """Answers."""

    async def say(self, word: str) -> str:
        return word


async def test_a_crash_loop_costs_less_and_less_and_its_neighbour_is_served_as_ever() -> None:
    Falling.starts = 0
    async with ObjectHarness({"falling": Falling, "steady": Steady}) as harness:
        neighbour = harness.stub("steady", "a")
        calls: list[Call] = []
        for _ in range(60):
            calls += [begin(harness.stub("falling", "a").say("x")) for _ in range(3)]
            answer = begin(neighbour.say("here"))
            await harness.settle()
            assert answer.result() == "here", "it did not have to wait"
            await harness.advance(0.5)
        await harness.advance(30)
        assert all(call.done() for call in calls)
        assert 5 < Falling.starts < 30


async def test_an_object_that_falls_now_and_then_does_not_wait() -> None:
    falls, key = Falls(), uuid4()
    for second in range(0, 1000, 40):
        falls.note(key, RoomAborted(), float(second))
        assert falls.wait_seconds(key, float(second)) == 0


@pytest.mark.parametrize(
    ("cause", "waits"), [(RoomAborted(), True), (StorageRefused(), True), (LeaseLost(), False)]
)
def test_only_what_the_object_did_itself_counts(cause: StateroomError, *, waits: bool) -> None:
    falls, key = Falls(), uuid4()
    for _ in range(10):
        falls.note(key, cause, 1.0)
        falls.note(key, None, 1.0)
    assert (falls.wait_seconds(key, 1.0) > 0) is waits
    assert falls.wait_seconds(uuid4(), 1.0) == 0
    assert falls.wait_seconds(key, 10.0) == 0


def test_the_falls_of_so_many_objects_are_remembered() -> None:
    falls = Falls()
    for _ in range(10_050):
        falls.note(uuid4(), RoomAborted(), 1.0)
    assert len(falls._backoffs) == 10_000
