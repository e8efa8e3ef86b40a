from collections.abc import AsyncIterator

import pytest

from tests.unit.cluster.slow_store import Plain, SlowHarness


@pytest.fixture
async def slow_harness() -> AsyncIterator[SlowHarness]:
    """A worker in memory whose claims may be held back."""
    Plain.starts = 0
    Plain.fail = False
    async with SlowHarness() as made:
        yield made
