"""What is made with `object_harness` here runs on both stores: on the twins and on Postgres."""

import pytest

from app.testing.pytest_plugin import STORES


@pytest.fixture(params=STORES)
def stateroom_store(request: pytest.FixtureRequest) -> str:
    """Each store in turn, whatever the command line says."""
    return str(request.param)
