"""What is made with `object_harness` here runs on both stores: on the twins and on Postgres.

The stage is for what is said of gates: its object does what a test tells it to, in both modes.
"""

from collections.abc import AsyncIterator

import pytest

from app.testing.pytest_plugin import STORES
from tests.conformance.gate_stage import StageHarness


@pytest.fixture(params=STORES)
def stateroom_store(request: pytest.FixtureRequest) -> str:
    """Each store in turn, whatever the command line says."""
    return str(request.param)


@pytest.fixture
async def harness() -> AsyncIterator[StageHarness]:
    """A worker with the stage."""
    async with StageHarness() as made:
        yield made


@pytest.fixture(params=["plain", "free"])
def kind(request: pytest.FixtureRequest) -> str:
    """The stage with one event at a time, and with interleaving ones."""
    return str(request.param)
