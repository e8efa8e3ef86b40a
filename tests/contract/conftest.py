"""Every contract test runs twice: in memory and on Postgres."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from app.store.database import Database
from app.store.driver import ConnectTarget
from tests.contract.worlds import MemoryWorld, PostgresWorld, World


@pytest.fixture(params=["memory", "postgres"])
def world_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world_url(world_kind: str, request: pytest.FixtureRequest) -> str | None:
    """Asked for here and not in `world`, where a loop would be running already."""
    return str(request.getfixturevalue("database_url")) if world_kind == "postgres" else None


@pytest_asyncio.fixture
async def world(world_url: str | None) -> AsyncIterator[World]:
    if world_url is None:
        yield MemoryWorld()
        return
    async with AsyncExitStack() as stack:
        database = await Database.open(ConnectTarget.from_url(world_url))
        stack.push_async_callback(database.close)
        yield PostgresWorld(database, stack)
