"""Waiting for what was written (F)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.core.errors import OwnershipLost
from app.core.tasks import TaskOwner
from app.core.values import CommitResult
from app.sdk import Receipt
from app.testing.driving import Harness
from app.testing.harness import ObjectHarness
from app.testing.pytest_plugin import HarnessMaker
from tests.unit.room.lab import LABS, Lab, begin, interleaves, perform

_tasks = TaskOwner("test")


@pytest.fixture(params=LABS)
async def harness(
    object_harness: HarnessMaker, request: pytest.FixtureRequest
) -> AsyncIterator[Harness]:
    async with object_harness({"lab": request.param}) as made:
        yield made


@pytest.fixture(params=LABS)
async def in_memory(request: pytest.FixtureRequest) -> AsyncIterator[ObjectHarness]:
    """Where a test makes one commit and holds the next back."""
    async with ObjectHarness({"lab": request.param}) as made:
        yield made


async def _is_waited_for(harness: Harness, *, unconfirmed: bool) -> None:
    async def step(lab: Lab) -> Any:
        lab.storage.put("key", 1, allow_unconfirmed=unconfirmed)
        return await lab.storage.sync()

    harness.committer.hold()
    event = begin(harness, step)
    await harness.settle()
    assert not event.done()
    harness.committer.release()
    assert (await event).commit_seq == 1


async def test_069_sync_with_nothing_pending_returns_at_once(harness: Harness) -> None:
    """sync() with nothing pending returns at once."""
    harness.committer.hold()
    receipt: Receipt = await perform(harness, lambda lab: lab.storage.sync())
    assert receipt.commit_seq == 0


async def test_070_sync_waits_for_earlier_confirmed_writes(harness: Harness) -> None:
    """sync() waits for earlier confirmed writes."""
    await _is_waited_for(harness, unconfirmed=False)


async def test_071_sync_waits_for_earlier_unconfirmed_writes(harness: Harness) -> None:
    """sync() waits for earlier unconfirmed writes."""
    await _is_waited_for(harness, unconfirmed=True)


async def test_072_sync_does_not_wait_for_later_writes(in_memory: ObjectHarness) -> None:
    """sync() does not wait for writes that are made after it was called."""
    harness = in_memory

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


async def test_073_sync_raises_when_the_commit_fails(harness: Harness) -> None:
    """sync() raises if the commit fails."""
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
    assert all(isinstance(error, OwnershipLost) for error in errors)
    assert len(errors) == (0 if interleaves(harness) else 1), (
        "interleaving code is not gone on with"
    )
    assert harness.counted["object_faults"] == 0, "that is no fault of the object"


async def test_074_several_syncs_for_one_commit_all_return(harness: Harness) -> None:
    """Several calls of sync() for one commit all return."""

    async def step(lab: Lab) -> Any:
        lab.storage.put("key", 1)
        return await asyncio.gather(*(lab.storage.sync() for _ in range(3)))

    receipts: list[Receipt] = await perform(harness, step)
    assert [receipt.commit_seq for receipt in receipts] == [1, 1, 1]
