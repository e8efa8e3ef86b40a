"""Transactions, beside what the conformance list says of them."""

from collections.abc import AsyncIterator

import pytest

from app.testing.harness import ObjectHarness
from tests.unit.room.lab import Lab, perform


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    async with ObjectHarness({"lab": Lab}) as made:
        yield made


async def test_an_outer_transaction_cannot_be_used_from_inside_an_inner_one(
    harness: ObjectHarness,
) -> None:
    async def step(lab: Lab) -> None:
        async with lab.storage.transaction() as outer, lab.storage.transaction():
            with pytest.raises(RuntimeError, match="one inside it is still open"):
                outer.rollback()
            with pytest.raises(RuntimeError, match="inside this one is still open"):
                outer.put("key", 1)

    await perform(harness, step)


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
