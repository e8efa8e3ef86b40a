"""Two workers behind PgBouncer in transaction mode; one of them, or the pooler, is killed."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from app.core.clock import SystemClock
from app.store.embedded import EmbeddedPostgres
from tests.cluster.clients import DEADLINE_SECONDS, at_work
from tests.cluster.conftest import LONG_LEASE, Stage
from tests.cluster.durable_content import check, until_served
from tests.cluster.server import ServerProcess
from tests.doubles.pgbouncer import PgBouncer

ROOMS = 4
WORKERS = 2
PROOFS_BEFORE = 300
PROOFS_AFTER = 300
BEHIND_A_POOLER = {
    **LONG_LEASE,
    "STATEROOM_WORKERS": str(WORKERS),
    "STATEROOM_DATABASE_POOLER": "transaction",
}


@pytest.fixture
def pgbouncer(postgres: EmbeddedPostgres, folder: Path) -> "PgBouncer":
    """A pooler of the test's own, not yet started; by its name the test needs the program."""
    return PgBouncer(postgres.url, folder / "pgbouncer")


@pytest_asyncio.fixture
async def server(stage: Stage, pgbouncer: PgBouncer) -> AsyncIterator[ServerProcess]:
    pgbouncer.start()
    server = stage.server(database_url=pgbouncer.database_url("postgres"), **BEHIND_A_POOLER)
    await server.start()
    yield server
    await server.close()
    pgbouncer.stop()


def workers_of(server: ServerProcess) -> list[psutil.Process]:
    return psutil.Process(server.pid).children()


async def until_complete(server: ServerProcess) -> None:
    """Wait until the supervisor has replaced whom it lost."""
    clock = SystemClock()
    deadline = clock.monotonic() + DEADLINE_SECONDS
    while len(workers_of(server)) < WORKERS:
        assert clock.monotonic() < deadline, server.last_words()
        await clock.sleep(0.05)


async def test_a_worker_of_two_is_killed_under_load_and_nothing_is_lost(
    stage: Stage, server: ServerProcess, postgres: EmbeddedPostgres
) -> None:
    chance = random.Random(2)
    rooms = stage.new_rooms(ROOMS)
    for _ in range(4):
        fleet = stage.fleet(server)
        fleet.man(rooms)
        async with at_work(fleet):
            await fleet.proofs(PROOFS_BEFORE)
            chance.choice(workers_of(server)).kill()
            await fleet.leave()
        # Nobody who was connected may come back before both readers have looked.
        await check(stage.history, database_url=postgres.url, url=None, rooms=rooms)
        for room in rooms:
            await until_served(server.url, room)
        await check(stage.history, database_url=postgres.url, url=server.url, rooms=rooms)
        await until_complete(server)
    assert stage.faults() == []


async def test_the_pooler_is_killed_under_load_and_writers_stay_connected(
    stage: Stage, server: ServerProcess, postgres: EmbeddedPostgres, pgbouncer: PgBouncer
) -> None:
    fleet = stage.fleet(server)
    fleet.man(stage.new_rooms(ROOMS))
    async with at_work(fleet):
        for _ in range(4):
            await fleet.proofs(PROOFS_BEFORE)
            pgbouncer.kill()
            pgbouncer.start()
        await fleet.proofs(PROOFS_AFTER)
        assert server.said("room_aborted") == 0
        await fleet.leave()
    await check(stage.history, database_url=postgres.url, url=server.url, rooms=stage.rooms)
    assert stage.faults() == []
