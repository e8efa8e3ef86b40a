"""Transactions that code leaves open, or is cut off in: the object goes on without them."""

from collections.abc import AsyncIterator

import pytest

from app.core.errors import StateroomError
from app.room.room import Room
from app.sdk import DurableObject
from app.testing.harness import ObjectHarness
from tests.conformance.gate_stage import Stage, StageHarness, future

pytestmark = pytest.mark.parametrize("kind", ["plain", "free"])


@pytest.fixture
async def harness() -> AsyncIterator[StageHarness]:
    async with StageHarness() as made:
        yield made


async def _leave_inner_open(self: Stage) -> None:
    async with self.storage.transaction():
        await self.storage.transaction().__aenter__()
        self.storage.put("lost", 1)


async def _put(self: Stage) -> str:
    self.storage.put("kept", 1)
    return "put"


async def test_one_left_open_inside_another_ends_with_that(
    harness: StageHarness, kind: str
) -> None:
    await harness.ready(kind)
    Stage.steps = {"leave": _leave_inner_open, "put": _put}
    with pytest.raises(StateroomError, match="left open"):
        await harness.run(kind, "leave")
    assert await harness.run(kind, "put") == "put"
    assert harness.contents(kind, "a") == {"kept": 1}


async def test_one_left_open_by_work_beside_the_events_harms_no_event(
    harness: StageHarness, kind: str
) -> None:
    async def begin(self: Stage) -> None:
        self.ctx.wait_until(_leave_inner_open(self))

    await harness.ready(kind)
    Stage.steps = {"begin": begin, "put": _put}
    await harness.run(kind, "begin")
    await harness.settle()
    assert await harness.run(kind, "put") == "put"
    assert harness.contents(kind, "a") == {"kept": 1}


async def test_one_whose_inner_one_was_left_open_does_not_end_well(
    harness: StageHarness, kind: str
) -> None:
    async def catch(self: Stage) -> None:
        async with self.storage.transaction() as outer:
            outer.put("lost", 1)
            try:
                await _leave_inner_open(self)
            except RuntimeError:
                Stage.heard.append("caught")

    await harness.ready(kind)
    Stage.steps = {"catch": catch, "put": _put}
    with pytest.raises(StateroomError, match="undone"):
        await harness.run(kind, "catch")
    assert Stage.heard == ["run catch", "caught"]
    assert await harness.run(kind, "put") == "put"
    assert harness.contents(kind, "a") == {"kept": 1}


class _Busy(DurableObject):
    async def begin(self) -> None:
        self.ctx.storage.put("kept", 1)
        self.ctx.wait_until(self._work())

    async def _work(self) -> None:
        async with self.ctx.storage.transaction() as transaction:
            transaction.put("lost", 1)
            await future()


class _Free(_Busy):
    interleave = True


async def test_a_room_that_goes_away_cuts_one_off_and_leaves_in_good_order(kind: str) -> None:
    async with ObjectHarness({"plain": _Busy, "free": _Free}) as harness:
        room: Room = await harness.room(kind, "a")
        await harness.stub(kind, "a").begin()
        await harness.settle()
        await room.leave(draining=True)
        assert room.life.released
        assert harness.contents(kind, "a") == {"kept": 1}
