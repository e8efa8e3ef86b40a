"""Units and sync: the conformance list, F and I, in the default mode."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.core.errors import OwnershipLost, RoomAborted
from app.core.tasks import TaskOwner
from app.core.values import CommitResult
from app.sdk import Receipt
from app.testing.harness import ObjectHarness
from tests.unit.room.lab import Lab, begin, perform
from tests.unit.room.seen import closed

_tasks = TaskOwner("test")


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    async with ObjectHarness({"lab": Lab}) as made:
        yield made


async def _read(lab: Lab) -> dict[str, Any]:
    return await lab.storage.list()


# -- F: sync -----------------------------------------------------------------------------------


async def test_69_sync_with_nothing_pending_returns_at_once(harness: ObjectHarness) -> None:
    harness.committer.hold()
    receipt: Receipt = await perform(harness, lambda lab: lab.storage.sync())
    assert receipt.commit_seq == 0


@pytest.mark.parametrize("unconfirmed", [False, True])
async def test_70_71_sync_waits_for_earlier_writes_of_both_kinds(
    harness: ObjectHarness, unconfirmed: bool
) -> None:
    async def step(lab: Lab) -> Any:
        lab.storage.put("key", 1, allow_unconfirmed=unconfirmed)
        return await lab.storage.sync()

    harness.committer.hold()
    event = begin(harness, step)
    await harness.settle()
    assert not event.done()
    harness.committer.commit_now()
    assert (await event).commit_seq == 1


async def test_72_sync_does_not_wait_for_later_writes(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> Any:
        lab.storage.put("first", 1)
        syncing = _tasks.start(lab.storage.sync(), name="sync")
        await written
        lab.storage.put("second", 2)
        harness.committer.commit_now()
        return await syncing

    written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    harness.committer.hold()
    event = begin(harness, step)
    await harness.settle()
    written.set_result(None)
    await harness.settle()
    assert harness.stored("lab", "a").keys() == {b"first"}
    harness.committer.release()
    assert (await event).commit_seq == 1


async def test_73_sync_raises_when_the_commit_fails(harness: ObjectHarness) -> None:
    errors: list[Exception] = []

    async def step(lab: Lab) -> None:
        lab.storage.put("key", 1)
        try:
            await lab.storage.sync()
        except Exception as error:
            errors.append(error)
            raise

    harness.committer.fail_next(CommitResult.LOST)
    with pytest.raises(OwnershipLost):
        await perform(harness, step)
    assert isinstance(errors[0], OwnershipLost)
    assert harness.counted["object_faults"] == 0, "that is no fault of the object"


async def test_74_several_syncs_for_one_commit_all_return(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> Any:
        lab.storage.put("key", 1)
        return await asyncio.gather(*(lab.storage.sync() for _ in range(3)))

    receipts: list[Receipt] = await perform(harness, step)
    assert [receipt.commit_seq for receipt in receipts] == [1, 1, 1]


async def test_sync_inside_a_transaction_is_refused_and_loses_nothing(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("lab", "a")

    async def step(lab: Lab) -> None:
        lab.ctx.broadcast("said before")
        async with lab.storage.transaction():
            lab.storage.put("key", 1)
            with pytest.raises(RuntimeError, match="inside a transaction"):
                await lab.storage.sync()
            lab.ctx.broadcast("said inside")

    await perform(harness, step)
    assert alice.take() == ["said before", "said inside"]
    assert harness.stored("lab", "a").keys() == {b"key"}


# -- I: coalescing and atomicity ---------------------------------------------------------------


async def test_108_109_the_writes_of_an_event_are_committed_together_also_across_awaits(
    harness: ObjectHarness,
) -> None:
    async def step(lab: Lab) -> None:
        lab.storage.put("first", 1)
        await harness.settle()
        lab.storage.put("second", 2)
        lab.storage.delete("third")

    await perform(harness, step)
    assert [set(batch.entries) for batch in harness.committer.committed] == [
        {b"first", b"second", b"third"}
    ]


async def test_110_writes_made_while_a_commit_is_in_flight_go_into_the_next_in_order(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("lab", "a")

    def write(key: str) -> Any:
        return lambda lab: lab.storage.put(key, 1, allow_unconfirmed=True)

    harness.committer.hold()
    await perform(harness, write("first"))
    harness.committer.take()
    await perform(harness, write("second"))
    await perform(harness, write("third"))
    harness.committer.settle()
    harness.committer.commit_now()
    assert [set(batch.entries) for batch in harness.committer.committed] == [
        {b"first"},
        {b"second", b"third"},
    ]
    assert closed(alice) is None


async def test_111_the_last_put_to_a_key_wins(harness: ObjectHarness) -> None:
    def step(lab: Lab) -> None:
        for number in range(3):
            lab.storage.put("key", number)

    await perform(harness, step)
    assert await perform(harness, _read) == {"key": 2}


async def test_113_a_put_followed_by_an_abort_stores_nothing(harness: ObjectHarness) -> None:
    def step(lab: Lab) -> None:
        lab.storage.put("key", 1)
        lab.ctx.abort("now")

    with pytest.raises(RoomAborted):
        await perform(harness, step)
    assert harness.stored("lab", "a") == {}


async def test_61_65_unconfirmed_writes_hold_nothing_back(harness: ObjectHarness) -> None:
    alice = await harness.connect("lab", "a")

    async def step(lab: Lab) -> None:
        lab.storage.put("a", 1, allow_unconfirmed=True)
        lab.storage.put_many({"b": 2}, allow_unconfirmed=True)
        await lab.storage.delete("a", allow_unconfirmed=True)
        await lab.storage.delete_many(["b", "c"], allow_unconfirmed=True)
        lab.ctx.broadcast("at once")

    harness.committer.hold()
    await perform(harness, step)
    assert alice.take() == ["at once"]
    harness.committer.commit_now()
    assert harness.committer.committed[0].entries == {b"a": None, b"b": None, b"c": None}


async def test_62_one_confirmed_write_beside_unconfirmed_ones_holds_everything_back(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("lab", "a")

    def step(lab: Lab) -> None:
        lab.storage.put("a", 1, allow_unconfirmed=True)
        lab.storage.put("b", 1)
        lab.ctx.broadcast("later")

    harness.committer.hold()
    event = begin(harness, step)
    await harness.settle()
    assert alice.take() == []
    harness.committer.commit_now()
    await event
    assert alice.take() == ["later"]


async def test_64_a_failed_commit_of_unconfirmed_writes_resets_the_room(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("lab", "a")
    harness.committer.fail_next(CommitResult.LOST)
    await perform(harness, lambda lab: lab.storage.put("a", 1, allow_unconfirmed=True))
    await harness.settle()
    assert closed(alice) == (1012, "ownership_lost")
    assert await perform(harness, _read) == {}
