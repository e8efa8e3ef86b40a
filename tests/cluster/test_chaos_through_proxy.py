"""Faults of every layer while clients write through nginx: nothing acknowledged is lost.

Workers killed, the proxy reloaded, the database restarted, two of these at once. After each of
them every room must be written again, and many receipts come in.
"""

import asyncio
import itertools
import os
import random
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from app.core.clock import SystemClock
from bench.nodes import Machines
from bench.proxies import Nginx
from tests.cluster.checker import History
from tests.cluster.clients import DEADLINE_SECONDS
from tests.cluster.durable_content import check, until_served
from tests.cluster.visitors import Visitors

pytestmark = pytest.mark.timeout(400)

ROOMS = [f"chaos-{number}" for number in range(4)]
LEASE_SECONDS = 20.0
PROOFS = 100

Strike = Callable[[Machines], Awaitable[None]]


async def kill_a_worker(machines: Machines) -> None:
    owner = await machines.owner(ROOMS[0])
    os.kill(owner.node.worker(owner.slot), signal.SIGKILL)


async def reload_the_proxy(machines: Machines) -> None:
    assert machines.proxy is not None
    await machines.proxy.reload()


async def restart_the_database(machines: Machines) -> None:
    await machines.postgres.stop()
    await machines.postgres.start()


async def kill_a_worker_during_a_reload(machines: Machines) -> None:
    await reload_the_proxy(machines)
    await kill_a_worker(machines)


async def kill_a_worker_before_the_database_restarts(machines: Machines) -> None:
    await kill_a_worker(machines)
    await restart_the_database(machines)


STRIKES: list[Strike] = [
    kill_a_worker,
    reload_the_proxy,
    restart_the_database,
    kill_a_worker_during_a_reload,
    kill_a_worker_before_the_database_restarts,
    reload_the_proxy,
]


async def test_faults_of_worker_proxy_and_database_lose_nothing_that_was_acknowledged(
    folder: Path, nginx: str
) -> None:
    history = History()
    async with Machines(folder, lease_seconds=LEASE_SECONDS, proxy=Nginx) as machines:
        assert machines.proxy is not None, nginx
        url = machines.proxy.url
        numbers = itertools.count(1).__next__
        visitors = Visitors(lambda: [url], history, numbers, random.Random(7))
        async with asyncio.TaskGroup() as tasks:
            writing = visitors.come(tasks, ROOMS)
            try:
                await every_room_is_written(url, history)
                for strike in STRIKES:
                    await strike(machines)
                    await machines.whole()
                    await every_room_is_written(url, history)
            finally:
                visitors.fall_silent()
                await asyncio.wait(writing)
                visitors.leave()
        await check(history, database_url=machines.database_url, url=url, rooms=ROOMS)
        for node in machines.nodes:
            for word in ("Traceback", "task_failed", "object_fault"):
                assert word not in node.log(), node.log()[-4000:]


async def every_room_is_written(url: str, history: History) -> None:
    """Wait until each room can be joined, and for many more receipts."""
    for room in ROOMS:
        await until_served(url, room)
    wanted = history.proofs + PROOFS
    async with asyncio.timeout(DEADLINE_SECONDS):
        while history.proofs < wanted:
            await SystemClock().sleep(0.05)
