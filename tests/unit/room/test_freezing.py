"""A frozen room: every write is refused, alarms wait, and nobody knows better than the database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from app.core.errors import ObjectFrozen, RoomAborted, StoreUnavailable
from app.core.tasks import TaskOwner
from app.core.values import Alarm, Claim
from app.sdk import AlarmInfo, DurableObject, Request, Response
from app.testing.harness import ObjectHarness
from app.testing.memory import MemoryObjectStates
from tests.unit.room.alarmed import Alarmed, now, row, set_alarm
from tests.unit.room.lab import Lab, forget, perform
from tests.unit.room.seen import closed

_tasks = TaskOwner("test")


class Interleaved(Alarmed):
    """Its events run among each other."""

    interleave = True


MODES = (pytest.param(Alarmed, id="one-at-a-time"), pytest.param(Interleaved, id="interleave"))


@pytest.fixture(params=MODES)
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[ObjectHarness]:
    Alarmed.reset()
    classes: dict[str, type[DurableObject]] = {"lab": request.param}
    async with ObjectHarness(classes) as opened:
        yield opened
    await _tasks.close()


async def freeze(harness: ObjectHarness, *, frozen: bool = True) -> None:
    states = MemoryObjectStates(harness.database)
    room = await harness.registry.find(harness.object_id("lab", "a"))
    await room.life.freezing.set(
        lambda claim: states.set_frozen(claim, frozen=frozen), frozen=frozen
    )


def in_transaction(lab: Lab) -> None:
    def write() -> None:
        lab.storage.put("key", 1)

    lab.storage.transaction_sync(write)


WRITES: dict[str, Callable[[Lab], Any]] = {
    "put": lambda lab: lab.storage.put("key", 1),
    "put_many": lambda lab: lab.storage.put_many({"key": 1}),
    "put that expires": lambda lab: lab.storage.put("key", 1, expires_at=2**40),
    "delete": lambda lab: lab.storage.delete("key"),
    "delete_many": lambda lab: lab.storage.delete_many(["key"]),
    "delete_all": lambda lab: lab.storage.delete_all(),
    "set_alarm": lambda lab: lab.storage.set_alarm(2**40),
    "delete_alarm": lambda lab: lab.storage.delete_alarm(),
    "retry_dead_alarm": lambda lab: lab.storage.retry_dead_alarm(),
    "forget_dead_alarm": lambda lab: lab.storage.forget_dead_alarm(),
    "in a transaction": in_transaction,
}


@pytest.mark.parametrize("write", WRITES)
async def test_every_kind_of_write_is_refused_and_nothing_is_committed(
    harness: ObjectHarness, write: str
) -> None:
    await perform(harness, lambda lab: lab.storage.put("key", 0))
    await freeze(harness)
    batches = len(harness.committer.committed)
    with pytest.raises(ObjectFrozen):
        await perform(harness, WRITES[write])
    assert await perform(harness, lambda lab: lab.storage.get("key")) == 0
    assert await perform(harness, lambda lab: lab.ctx.frozen)
    assert len(harness.committer.committed) == batches
    await freeze(harness, frozen=False)
    await perform(harness, WRITES[write])
    assert not await perform(harness, lambda lab: lab.ctx.frozen)


async def test_a_refused_write_harms_nobody_else_and_costs_no_pause(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("lab", "a")
    await freeze(harness)
    for _ in range(20):
        with pytest.raises(ObjectFrozen):
            await perform(harness, lambda lab: lab.storage.put("key", 1))
    alice.say("hello")
    await harness.settle()
    assert (alice.take(), closed(alice)) == (["hello"], None)
    assert harness.counted["object_faults"] == 0


async def test_an_object_is_frozen_when_it_is_claimed_frozen(harness: ObjectHarness) -> None:
    await perform(harness, lambda lab: lab.storage.put("key", 0))
    await freeze(harness)
    await forget(harness)
    await harness.abort_all()
    with pytest.raises(ObjectFrozen):
        await perform(harness, lambda lab: lab.storage.put("key", 1))


# -- alarms --------------------------------------------------------------------------------


async def test_alarms_of_a_frozen_object_wait_and_use_up_no_tries(harness: ObjectHarness) -> None:
    due_ms = now(harness) + 1_000
    await set_alarm(harness, due_ms)
    await freeze(harness)
    await harness.advance(600)
    assert Alarmed.runs == []
    stands = row(harness)
    assert stands is not None
    assert stands == Alarm(due_ms=due_ms, next_attempt_ms=due_ms)
    await freeze(harness, frozen=False)
    await harness.advance(2)
    assert [(info.scheduled_for, info.retry_count) for info in Alarmed.runs] == [(due_ms, 0)]
    assert row(harness) is None


async def test_a_ring_that_was_claimed_before_the_frost_counts_no_try(
    harness: ObjectHarness,
) -> None:
    entered, gate = asyncio.Event(), asyncio.Event()

    async def hold_up(_lab: Lab) -> None:
        entered.set()
        await gate.wait()

    await set_alarm(harness, now(harness) + 1_000)
    Lab.step = hold_up
    holding = _tasks.start(perform(harness, hold_up), name="event")
    await entered.wait()
    freezing = _tasks.start(freeze(harness), name="freeze")
    await harness.settle()
    await harness.advance(3)  # the ring waits behind the event, or has its turn and runs
    gate.set()
    await holding
    await harness.settle()
    await freezing
    await harness.advance(30)
    stands = row(harness)
    # It found the object frozen, or ran before.
    if not Alarmed.runs:
        assert stands is not None
        assert (stands.counted_attempts, stands.uncounted_attempts) == (0, 0)


async def test_a_run_that_the_frost_overtakes_is_made_again_after_the_thaw() -> None:
    """Only where events interleave can an object be frozen in the middle of a run."""
    Alarmed.reset()
    gate = asyncio.Event()

    async def wait(_lab: Alarmed, _info: AlarmInfo) -> None:
        if len(Alarmed.runs) == 1:
            await gate.wait()

    Alarmed.on_ring = wait
    async with ObjectHarness({"lab": Interleaved}) as harness:
        await set_alarm(harness, 5)
        await harness.settle()
        assert len(Alarmed.runs) == 1
        await freeze(harness)
        gate.set()
        await harness.settle()
        stands = row(harness)
        assert stands is not None, "its end cannot be written down"
        assert (stands.counted_attempts, stands.uncounted_attempts) == (0, 0)
        assert harness.live_room("lab", "a") is not None, "nothing was thrown away"
        await freeze(harness, frozen=False)
        await harness.advance(30)
        assert len(Alarmed.runs) == 2
        assert row(harness) is None


# -- the way there -------------------------------------------------------------------------


async def test_what_was_written_before_is_committed_before(harness: ObjectHarness) -> None:
    harness.committer.hold()
    writing = _tasks.start(perform(harness, lambda lab: lab.storage.put("key", 1)), name="w")
    await harness.settle()
    freezing = _tasks.start(freeze(harness), name="freeze")
    await harness.settle()
    found = harness.database.objects[harness.object_id("lab", "a").uuid]
    assert found.frozen_ms is None
    harness.committer.release()
    await harness.settle()
    await asyncio.gather(writing, freezing)
    assert harness.contents("lab", "a") == {"key": 1}
    assert found.frozen_ms is not None


@pytest.mark.parametrize("error", [StoreUnavailable(), asyncio.CancelledError(), RuntimeError()])
async def test_when_nobody_knows_whether_it_is_frozen_the_room_is_thrown_away(
    harness: ObjectHarness, error: BaseException
) -> None:
    alice = await harness.connect("lab", "a")
    room = await harness.room("lab", "a")

    async def mark(_claim: Claim) -> bool:
        raise error

    with pytest.raises(type(error)):
        await room.life.freezing.set(mark, frozen=True)
    assert not room.open
    assert closed(alice) is not None


async def test_who_is_no_longer_the_owner_freezes_nothing(harness: ObjectHarness) -> None:
    await perform(harness, lambda lab: lab.storage.put("key", 0))
    room = await harness.room("lab", "a")
    harness.database.objects[room.object_id.uuid].epoch = harness.database.next_epoch()
    with pytest.raises(RoomAborted):
        await freeze(harness)
    assert not room.open
    assert harness.database.objects[room.object_id.uuid].frozen_ms is None


async def test_who_does_not_wait_any_more_for_the_frost_leaves_the_room_as_it_is(
    harness: ObjectHarness,
) -> None:
    entered, gate = asyncio.Event(), asyncio.Event()

    async def work(lab: Lab) -> None:
        async def section() -> None:
            entered.set()
            await gate.wait()

        await lab.ctx.block_concurrency_while(section)
        lab.storage.put("key", 1)

    working = _tasks.start(perform(harness, work), name="event")
    await entered.wait()
    freezing = _tasks.start(freeze(harness), name="freeze")
    await harness.settle()
    freezing.cancel()
    await harness.settle()
    gate.set()
    await working
    assert await perform(harness, lambda lab: lab.storage.get("key")) == 1
    assert harness.database.objects[harness.object_id("lab", "a").uuid].frozen_ms is None


class Greeter(DurableObject):
    """Writes whenever it starts, and does not look whether it may."""

    async def on_start(self) -> None:
        self.ctx.storage.put("started", self.ctx.now())

    async def on_request(self, request: Request) -> Response:
        del request
        return Response(body="hello")


async def test_a_class_that_writes_at_its_start_is_told_so_and_is_no_fault() -> None:
    async with ObjectHarness({"lab": Greeter}) as harness:
        await harness.request("lab", "a", Request())
        await freeze(harness)
        for _ in range(5):
            with pytest.raises(ObjectFrozen):
                await harness.request("lab", "a", Request())
        assert harness.counted["object_faults"] == 0
        await freeze(harness, frozen=False)
        assert (await harness.request("lab", "a", Request())).body == "hello"
