"""Every contract test runs three times: in memory, on Postgres, and on Postgres behind a pooler.

The pooler is in transaction mode and hands its server connections out in turn, so no statement
may count on what an earlier one left in the session.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from app.store.database import Database
from app.store.driver import ConnectTarget, Pooler
from tests.conftest import MIGRATED
from tests.contract.worlds import MemoryWorld, PostgresWorld, World
from tests.doubles.pgbouncer import PgBouncer


@pytest.fixture(params=["memory", "postgres", "pgbouncer"])
def world_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world_target(world_kind: str, request: pytest.FixtureRequest) -> ConnectTarget | None:
    """Asked for here and not in `world`, where a loop would be running already."""
    if world_kind == "memory":
        return None
    url: str = request.getfixturevalue("database_url")
    if world_kind == "postgres":
        return ConnectTarget.from_url(url)
    pooler: PgBouncer = request.getfixturevalue("pgbouncer")
    return ConnectTarget.from_url(pooler.database_url(MIGRATED), pooler=Pooler.TRANSACTION)


@pytest_asyncio.fixture
async def world(world_target: ConnectTarget | None) -> AsyncIterator[World]:
    if world_target is None:
        yield MemoryWorld()
        return
    async with AsyncExitStack() as stack:
        database = await Database.open(world_target, patience_seconds=5)
        stack.push_async_callback(database.close)
        yield PostgresWorld(database, stack)
