"""Rolling restarts under load: nothing acknowledged is lost, and no room is away for long.

The workers of a machine are replaced by SIGHUP, or whole machines are stopped and started one
after the other, while everybody writes. Beside the writers a client for each room keeps asking and
comes back at once when it is sent away; the longest time without an answer is printed (`-rP`).
"""

import asyncio
import itertools
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import perf_counter

import pytest
from rich.console import Console

from app.core.clock import SystemClock
from bench.availability import Watcher
from bench.failover import percentile
from bench.nodes import WORKERS, Machines, Node
from tests.cluster.checker import History
from tests.cluster.clients import DEADLINE_SECONDS
from tests.cluster.durable_content import check
from tests.cluster.visitors import Visitors

pytestmark = pytest.mark.timeout(400)

ROOMS = 8
# A lease that a busy machine does not let run out, and that would show if anybody waited for it.
LEASE_SECONDS = 20.0
LONGEST_GAP_SECONDS = 15.0
PROOFS = 300

Roll = Callable[[Machines], Awaitable[None]]


class Load:
    """Everybody who is at work on the rooms, and how long each room was away."""

    def __init__(self, machines: Machines, rooms: list[str]) -> None:
        urls = [node.url for node in machines.nodes]
        self.history = History()
        self._watchers = [
            Watcher(urls[number % 2 :] + urls[: number % 2], room, reconnect_seconds=0.0)
            for number, room in enumerate(rooms)
        ]
        self._visitors = Visitors(
            lambda: urls, self.history, itertools.count(1).__next__, random.Random(1)
        )
        self._rooms = rooms

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            watching = [tasks.create_task(watcher.run()) for watcher in self._watchers]
            writing = self._visitors.come(tasks, self._rooms)
            try:
                await self.goes_on()
                yield
                await self.goes_on()
            finally:
                self._visitors.fall_silent()
                await asyncio.wait(writing)
                self._visitors.leave()
                for task in watching:
                    task.cancel()

    async def goes_on(self) -> None:
        """Wait until every room answers, and for many more proofs."""
        wanted = self.history.proofs + PROOFS
        async with asyncio.timeout(DEADLINE_SECONDS):
            for watcher in self._watchers:
                await watcher.good_answer()
            while self.history.proofs < wanted:
                await SystemClock().sleep(0.05)

    def gaps(self, since: float) -> list[float]:
        """The longest span without an answer of each room."""
        return [watcher.longest_gap(since) for watcher in self._watchers]


async def replace_workers(machines: Machines) -> None:
    """SIGHUP each supervisor, and wait until it has replaced all its workers."""
    for node in machines.nodes:
        before = pids_of(node)
        os.kill(node.supervisor(), signal.SIGHUP)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(pids_of(node) - before) < WORKERS:
                await SystemClock().sleep(0.05)
        await machines.whole()


async def replace_machines(machines: Machines) -> None:
    """Stop one machine in good order, start it, and go to the next."""
    for node in machines.nodes:
        await node.stop()
        await machines.whole()


@pytest.mark.parametrize("roll", [replace_workers, replace_machines])
async def test_a_rolling_restart_under_load_loses_nothing_and_no_room_is_away_for_long(
    roll: Roll, folder: Path
) -> None:
    rooms = [f"rolling-{number}" for number in range(ROOMS)]
    async with Machines(folder, lease_seconds=LEASE_SECONDS) as machines:
        load = Load(machines, rooms)
        async with load.at_work():
            begun_at = perf_counter()
            await roll(machines)
        gaps = load.gaps(begun_at)
        parts = [f"p{part * 100:g} {percentile(gaps, part):.2f} s" for part in (0.5, 0.9, 1)]
        Console().print(f"{roll.__name__}, the longest gap of {ROOMS} rooms:", *parts)
        await check(
            load.history,
            database_url=machines.database_url,
            url=machines.nodes[0].url,
            rooms=rooms,
        )
        for node in machines.nodes:
            for word in ("Traceback", "task_failed", "object_fault", "worker_silent"):
                assert word not in node.log(), node.log()[-4000:]
    assert max(gaps) < LONGEST_GAP_SECONDS


def pids_of(node: Node) -> set[int]:
    """The workers that run now."""
    found = set()
    for slot in range(WORKERS):
        with suppress(LookupError):
            found.add(node.worker(slot))
    return found
