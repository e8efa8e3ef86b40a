"""How long an instance lives, how it ends, and what is left of it (N)."""

import asyncio
from collections.abc import AsyncIterator
from typing import ClassVar

import pytest

from app.core.errors import OwnedElsewhere, RoomAborted
from app.core.tasks import TaskOwner
from app.sdk import DurableObject, Request, Response
from app.testing.harness import ObjectHarness
from app.testing.memory import MemoryDatabase
from tests.conformance import held
from tests.conformance.held import Held, begin, let_go
from tests.conformance.verdicts import differs

_tasks = TaskOwner("test")


class Aborting(DurableObject):
    """Throws itself away, and tries to keep itself from it."""

    starts: ClassVar[int] = 0
    caught: ClassVar[list[BaseException]] = []

    def on_start(self) -> None:
        Aborting.starts += 1

    async def abort(self, reason: str) -> str:
        self.ctx.storage.put("key", "of the aborted event")
        try:
            self.ctx.abort(reason)
        except Exception as error:  # noqa: BLE001 - that it does not come here is the point
            Aborting.caught.append(error)
        return "went on"

    async def abort_and_catch_everything(self, reason: str) -> str:
        self.ctx.storage.put("key", "of the aborted event")
        try:
            self.ctx.abort(reason)
        except BaseException as error:  # noqa: BLE001 - what is raised shall be seen
            Aborting.caught.append(error)
        return "went on"

    async def key(self) -> str | None:
        found: str | None = await self.ctx.storage.get("key")
        return found


class Version(DurableObject):
    """Says which version of the code runs, and notices another one that runs beside it."""

    number: ClassVar[int] = 1
    running: ClassVar[list[int]] = []
    overlaps: ClassVar[int] = 0

    async def on_request(self, request: Request) -> Response:
        Version.running.append(self.number)
        Version.overlaps += len(set(Version.running)) > 1
        await self.ctx.breathe()
        versions = [*await self.ctx.storage.get("versions", []), self.number]
        self.ctx.storage.put("versions", versions)
        Version.running.remove(self.number)
        return Response(body=str(self.number))


class NextVersion(Version):
    """What is deployed while the other one still runs."""

    number = 2


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    held.reset()
    Aborting.starts, Aborting.caught = 0, []
    async with ObjectHarness({"held": Held, "aborting": Aborting}) as made:
        yield made


async def test_213_fields_last_from_call_to_call(harness: ObjectHarness) -> None:
    """What an object keeps in memory is there at its next call, while it is active."""
    stub = held.held(harness)
    assert [await stub.count() for _ in range(3)] == [1, 2, 3]
    assert Held.starts == 1


async def test_214_after_an_eviction_fields_are_gone_and_storage_is_not(
    harness: ObjectHarness,
) -> None:
    """After the object was evicted what it kept in memory is gone, and what it stored is there."""
    stub = held.held(harness)
    await stub.add(5)
    await stub.count()
    await harness.advance(90)
    assert harness.live_room("held", "a") is None
    assert await stub.count() == 1
    assert await stub.add(1) == 6
    assert Held.starts == 2


async def test_215_an_instance_is_kept_for_ten_seconds_after_each_call(
    harness: ObjectHarness,
) -> None:
    """An instance is not dropped before 10 seconds without an event; a call after 9 starts anew."""
    stub = held.held(harness)
    for number in range(3):
        assert await stub.count() == number + 1
        await harness.advance(9)
    assert Held.starts == 1
    await harness.advance(4)
    assert await stub.count() == 1


@differs("what is pending keeps an object for itself; with nothing pending it is gone in 60 s")
async def test_216_an_object_nobody_is_connected_to_is_released_after_a_minute(
    harness: ObjectHarness,
) -> None:
    """An idle object that cannot hibernate is gone between 70 and 140 seconds."""
    await held.held(harness).add(1)
    await harness.advance(58)
    assert harness.live_room("held", "a") is not None
    await harness.advance(6)
    assert harness.live_room("held", "a") is None


async def test_220_an_abort_gives_its_reason_to_callers_and_the_next_call_starts_afresh(
    harness: ObjectHarness,
) -> None:
    """`abort(reason)` reaches the caller as that text, whatever is caught inside; then a new start.

    Nothing of the aborted event is stored.
    """
    stub = harness.stub("aborting", "a")
    for method in (stub.abort, stub.abort_and_catch_everything):
        with pytest.raises(RoomAborted, match="enough for today") as aborted:
            await method("enough for today")
        assert aborted.value.reset
        assert await stub.key() is None
    assert Aborting.starts == 3


async def test_221_an_abort_is_no_exception_that_is_caught_by_accident(
    harness: ObjectHarness,
) -> None:
    """What `abort` raises is no `Exception`, so `except Exception` does not swallow it."""
    stub = harness.stub("aborting", "a")
    with pytest.raises(RoomAborted):
        await stub.abort("now")
    assert Aborting.caught == []
    with pytest.raises(RoomAborted):
        await stub.abort_and_catch_everything("now")
    (caught,) = Aborting.caught
    assert not isinstance(caught, Exception)


@differs("a planned stop waits for the events that run, and commits what they store")
async def test_222_a_planned_stop_lets_running_requests_finish_and_keeps_what_they_store(
    harness: ObjectHarness,
) -> None:
    """In a planned stop a request that touches no storage may finish; one that does fails."""
    waiting = begin(held.held(harness).hold("gate"))
    await harness.settle()
    storing = begin(held.held(harness).add(7))
    stopping = _tasks.start(harness.registry.drain(deadline_seconds=60), name="drain")
    await harness.settle()
    assert not stopping.done()
    let_go("gate")
    await stopping
    assert await waiting == "gate"
    assert await storing == 7
    assert harness.contents("held", "a") == {"total": 7}


async def test_223_two_objects_of_a_class_share_no_fields(harness: ObjectHarness) -> None:
    """Two objects of one class share nothing that they keep in memory."""
    first, second = held.held(harness, "a"), held.held(harness, "b")
    assert [await first.count(), await first.count(), await second.count()] == [1, 2, 1]
    assert Held.starts == 2


async def test_224_two_versions_of_the_code_never_run_one_object_at_once() -> None:
    """While workers with old and new code run side by side, each object runs on one of them."""
    Version.running, Version.overlaps = [], 0
    async with ObjectHarness({"it": Version}, node="old") as old:
        database: MemoryDatabase = old.database
        new = ObjectHarness({"it": NextVersion}, database=database, clock=old.clock, node="new")
        async with new:
            for _ in range(3):
                answers = await asyncio.gather(
                    *(begin(each.request("it", "a", Request())) for each in (old, new)),
                    return_exceptions=True,
                )
                assert [type(answer) for answer in answers] == [Response, OwnedElsewhere]
            await old.registry.drain(deadline_seconds=60)
            assert (await new.request("it", "a", Request())).body == "2"
            assert new.contents("it", "a") == {"versions": [1, 1, 1, 2]}
    assert Version.overlaps == 0
