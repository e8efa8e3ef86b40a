"""Workers in memory that tests of this folder share."""

from collections.abc import AsyncIterator

import pytest

from app.testing.harness import ObjectHarness
from tests.unit.cluster.calling import Node, reset
from tests.unit.cluster.slow_store import Plain, SlowHarness


@pytest.fixture
async def slow_harness() -> AsyncIterator[SlowHarness]:
    """A worker in memory whose claims may be held back."""
    Plain.starts = 0
    Plain.fail = False
    async with SlowHarness() as made:
        yield made


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    """A worker in memory whose objects do what the test says."""
    reset()
    async with ObjectHarness({"node": Node}) as made:
        yield made
