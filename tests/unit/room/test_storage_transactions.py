"""transaction and delete_all: the conformance list, J and K, in the default mode."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.testing.harness import ObjectHarness
from tests.unit.room.lab import Lab, forget, perform


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    async with ObjectHarness({"lab": Lab}) as made:
        yield made


async def _read(lab: Lab) -> dict[str, Any]:
    return await lab.storage.list()


# -- J: transaction ----------------------------------------------------------------------------


async def test_an_outer_transaction_cannot_be_rolled_back_from_inside_an_inner_one(
    harness: ObjectHarness,
) -> None:
    async def step(lab: Lab) -> None:
        async with lab.storage.transaction() as outer, lab.storage.transaction():
            with pytest.raises(RuntimeError, match="one inside it is still open"):
                outer.rollback()

    await perform(harness, step)


# -- K: delete_all -----------------------------------------------------------------------------


@pytest.fixture
async def filled(harness: ObjectHarness) -> ObjectHarness:
    await perform(harness, lambda lab: lab.storage.put_many({"a": 1, "b": 2}))
    await forget(harness)
    return harness
