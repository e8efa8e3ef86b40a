"""Deleting everything an object has stored (K)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.core.errors import Overloaded, OwnershipLost
from app.core.values import CommitResult
from app.room.limits import RoomLimits
from app.sdk import AlarmInfo, ObjectFault, Request
from app.testing.driving import Harness
from app.testing.harness import ObjectHarness
from app.testing.pytest_plugin import HarnessMaker
from tests.conformance.crashes import STAGES, Crash, after_a_crash
from tests.conformance.verdicts import differs
from tests.unit.room.lab import Lab, forget, perform


class Alarmed(Lab):
    """The same with an alarm that nobody needs."""

    def on_alarm(self, info: AlarmInfo) -> None:
        """Take it."""


@pytest.fixture
async def harness(object_harness: HarnessMaker) -> AsyncIterator[Harness]:
    async with object_harness({"lab": Alarmed}) as made:
        yield made


@pytest.fixture
async def filled(harness: Harness) -> Harness:
    await perform(harness, lambda lab: lab.storage.put_many({"a": 1, "b": 2}))
    await forget(harness)
    return harness


async def _read(lab: Lab) -> dict[str, Any]:
    return await lab.storage.list()


async def test_130_delete_all_removes_every_key(filled: Harness) -> None:
    """delete_all removes every key, those that are not committed yet too."""

    async def step(lab: Lab) -> Any:
        lab.storage.put("c", 3)
        await lab.storage.delete_all()
        return await lab.storage.list(), await lab.storage.get("a"), await lab.storage.get("c")

    assert await perform(filled, step) == ({}, None, None)
    assert filled.stored("lab", "a") == {}
    await forget(filled)
    assert await perform(filled, _read) == {}


@pytest.mark.parametrize("stage", STAGES)
async def test_131_after_a_crash_everything_is_gone_or_nothing(stage: Crash) -> None:
    """delete_all is all or nothing: after a crash everything is gone, or nothing."""
    before = {str(number): number for number in range(100)}
    found = await after_a_crash(stage, before=before, step=lambda lab: lab.storage.delete_all())
    assert found == ({} if stage.applied else before)


async def test_132_delete_all_removes_the_alarms(harness: Harness) -> None:
    """delete_all removes the alarms as well."""

    def fill(lab: Lab) -> None:
        lab.storage.put("key", 1, expires_at=lab.ctx.now() + 60_000)
        lab.storage.set_alarm(lab.ctx.now() + 60_000)
        lab.storage.set_alarm(lab.ctx.now() + 60_000, name="another")

    async def step(lab: Lab) -> Any:
        lab.storage.delete_all()
        return await lab.storage.get_alarm(), await lab.storage.list_alarms()

    await perform(harness, fill)
    assert await perform(harness, step) == (None, [])
    assert harness.list_rooms("lab") == []


async def test_135_what_is_put_after_delete_all_stays(filled: Harness) -> None:
    """What is put after delete_all in the same step stays."""

    def step(lab: Lab) -> None:
        lab.storage.delete_all()
        lab.storage.put("a", 3)
        lab.storage.put("c", 3)

    await perform(filled, step)
    assert await perform(filled, _read) == {"a": 3, "c": 3}
    await forget(filled)
    assert await perform(filled, _read) == {"a": 3, "c": 3}


async def test_136_delete_all_may_be_called_twice(filled: Harness) -> None:
    """Calling delete_all twice in a row is fine."""

    def step(lab: Lab) -> None:
        lab.storage.delete_all()
        lab.storage.put("x", 1)
        lab.storage.delete_all()
        lab.storage.delete_all()

    await perform(filled, step)
    await perform(filled, lambda lab: lab.storage.delete_all())
    assert filled.stored("lab", "a") == {}


@differs("nothing is metered for a price; in the bound of one event a delete counts by its key")
async def test_138_a_delete_counts_as_a_write() -> None:
    """In metering, deletes count as writes."""

    def step(lab: Lab) -> None:
        for number in range(20):
            lab.storage.delete("k" * 99 + str(number))

    async with ObjectHarness({"lab": Lab}, limits=RoomLimits(unit_bytes=1_000)) as harness:
        with pytest.raises(Overloaded):
            await perform(harness, step)


async def test_an_object_that_deletes_everything_is_still_found_under_its_name(
    filled: Harness,
) -> None:
    await perform(filled, lambda lab: lab.storage.delete_all())
    _, receipt = await (await filled.room("lab", "a")).request(Request())
    assert receipt.commit_seq == 3, "filled once, emptied twice"


async def test_a_delete_all_that_is_not_committed_deletes_nothing(
    filled: Harness,
) -> None:
    def fail(lab: Lab) -> None:
        lab.storage.delete_all()
        raise RuntimeError("undone")

    with pytest.raises(ObjectFault):
        await perform(filled, fail)
    assert await perform(filled, _read) == {"a": 1, "b": 2}
    filled.committer.fail_next(CommitResult.LOST)
    with pytest.raises(OwnershipLost):
        await perform(filled, lambda lab: lab.storage.delete_all())
    assert await perform(filled, _read) == {"a": 1, "b": 2}
