"""Alerts of the shipped rules fire in a real Prometheus, as the runbook says, and end again.

The rules run in quick time (`bench.prometheus`). What all strikes and the proxy do to them is told
by `python -m bench.alerts`.
"""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import asyncpg
import psutil
import pytest

from app.store.embedded import EmbeddedPostgres
from bench.availability import Watcher
from bench.prometheus import Prometheus
from tests.cluster.conftest import LONG_LEASE, Stage

pytestmark = pytest.mark.timeout(900)

SECONDS = 120.0
"""For each step, on a machine that has much else to do."""
CALM_SECONDS = 240.0
ROOM = "watched"
OWNER = "select w.slot from object o join worker w using (worker_id) where o.name = $1"
OPENED = "sum(max without (instance) (stateroom_rooms_opened_total))"
WORKERS = "sum(max without (instance) (stateroom_worker_up))"


async def test_a_killed_worker_and_a_database_that_is_away_are_told_of(
    folder: Path, stage: Stage, postgres: EmbeddedPostgres, prometheus: str
) -> None:
    assert prometheus
    server = stage.server(database_url=postgres.url, STATEROOM_WORKERS="2", **LONG_LEASE)
    await server.start()
    port = int(server.url.rpartition(":")[2])
    watcher = Watcher([server.url], ROOM)
    async with Prometheus(folder / "prometheus", [port]) as watching, asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(watcher.run())
        try:
            async with asyncio.timeout(SECONDS):
                await watcher.good_answer()
            await watching.comes_to(WORKERS, 2, within_seconds=SECONDS)
            await watching.comes_to(OPENED, 1, within_seconds=SECONDS)

            # The room goes to the sibling, or to the worker that takes its owner's place.
            os.kill(await owner(postgres.url, server.pid), signal.SIGKILL)
            await watching.fires({"StateroomFailovers"}, within_seconds=SECONDS)

            await postgres.stop()
            await watching.fires({"StateroomDatabaseDown"}, within_seconds=SECONDS)
            await postgres.start()
            async with asyncio.timeout(SECONDS):
                await watcher.good_answer()
            await watching.calms_down(within_seconds=CALM_SECONDS)
        finally:
            asking.cancel()


async def owner(database_url: str, supervisor: int) -> int:
    """The process that has the room."""
    session = await asyncpg.connect(database_url)
    try:
        slot = await session.fetchval(OWNER, ROOM)
    finally:
        await session.close()
    for child in psutil.Process(supervisor).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            words = child.cmdline()
            if "--slot" in words and words[words.index("--slot") + 1] == str(slot):
                return child.pid
    raise LookupError("nobody has the room")
