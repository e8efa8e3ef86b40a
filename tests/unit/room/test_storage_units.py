"""Units and sync: the conformance list, F and I, in the default mode."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.core.tasks import TaskOwner
from app.testing.harness import ObjectHarness
from tests.unit.room.lab import Lab, perform

_tasks = TaskOwner("test")


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    async with ObjectHarness({"lab": Lab}) as made:
        yield made


async def _read(lab: Lab) -> dict[str, Any]:
    return await lab.storage.list()


# -- F: sync -----------------------------------------------------------------------------------


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
