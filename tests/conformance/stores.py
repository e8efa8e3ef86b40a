"""The switch by which tests run on both stores: import it into a file of tests.

from tests.conformance.stores import stateroom_store

async def test_...(object_harness): ...    # twice: in memory and on Postgres
"""

import pytest

from app.testing.pytest_plugin import STORES

__all__ = ["stateroom_store"]


@pytest.fixture(params=STORES)
def stateroom_store(request: pytest.FixtureRequest) -> str:
    """Each store in turn, whatever the command line says."""
    return str(request.param)
