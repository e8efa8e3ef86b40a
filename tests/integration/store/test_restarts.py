"""Postgres restarted under load: what was acknowledged is there, and nobody has to be restarted."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from app.core.values import CommitResult
from app.store.data_directory import DataDirectory
from app.store.database import Database
from app.store.driver import ConnectTarget
from app.store.embedded import EmbeddedPostgres
from app.store.migration import migrate
from tests.doubles.batch_source import Writes, commit
from tests.integration.store.conftest import Site, Worker

ROOMS = 6


@pytest_asyncio.fixture
async def postgres(
    open_folder: Path, request: pytest.FixtureRequest
) -> AsyncIterator[EmbeddedPostgres]:
    """A server of the test's own, as durable as in real life."""
    folder = open_folder / f"restarts-{abs(hash(request.node.name))}"
    with DataDirectory(folder) as directory:
        async with EmbeddedPostgres(directory) as server:
            await migrate(server.url)
            yield server


@pytest_asyncio.fixture
async def own_site(postgres: EmbeddedPostgres) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        database = await Database.open(ConnectTarget.from_url(postgres.url))
        stack.push_async_callback(database.close)
        yield Site(postgres.url, database, stack)


async def keep_writing(worker: Worker, writes: Writes, stop: asyncio.Event) -> int:
    """Count upwards until told to stop; returns the last number that was acknowledged."""
    number = 0
    while not stop.is_set():
        number += 1
        outcome = await commit(worker.committer, writes, {b"n": b"%d" % number})
        assert outcome.result is CommitResult.COMMITTED
    return number


async def restart_fast(postgres: EmbeddedPostgres) -> None:
    await postgres.stop()
    await postgres.start()


async def restart_immediate(postgres: EmbeddedPostgres) -> None:
    assert postgres.pid is not None
    os.kill(postgres.pid, signal.SIGQUIT)
    await postgres.wait()
    await postgres.start()


async def restart_killed(postgres: EmbeddedPostgres) -> None:
    assert postgres.pid is not None
    os.kill(postgres.pid, signal.SIGKILL)
    await postgres.wait()
    await postgres.start()


@pytest.mark.parametrize("restart", [restart_fast, restart_immediate, restart_killed])
async def test_writers_go_on_over_a_restart_and_nothing_acknowledged_is_lost(
    postgres: EmbeddedPostgres, own_site: Site, restart: "type"
) -> None:
    worker = await own_site.worker()
    rooms = [await worker.room(f"room-{number}") for number in range(ROOMS)]
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    writers = [loop.create_task(keep_writing(worker, writes, stop)) for writes in rooms]
    while any(len(writes.outcomes) < 5 for writes in rooms):
        await own_site.database.fetch("select pg_sleep(0.005)")
    await restart(postgres)
    before = [len(writes.outcomes) for writes in rooms]
    while any(len(writes.outcomes) < n + 5 for writes, n in zip(rooms, before, strict=True)):
        await own_site.database.fetch("select pg_sleep(0.005)")
    stop.set()
    for writes, last in zip(rooms, await asyncio.gather(*writers), strict=True):
        assert await own_site.rows(writes) == {b"n": b"%d" % last}
        assert await own_site.commit_seq(writes) == writes.expected


async def test_reads_do_not_notice_that_idle_connections_died(
    postgres: EmbeddedPostgres, own_site: Site
) -> None:
    worker = await own_site.worker()
    writes = await worker.room("room")
    await commit(worker.committer, writes, {b"a": b"1"})
    await postgres.stop()
    await postgres.start()
    assert await own_site.rows(writes) == {b"a": b"1"}
    assert await own_site.leases.renew(worker.worker_id, lease_seconds=60) is not None
