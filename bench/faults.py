"""The kinds of failover that are measured: what is done to whom, and how long it may take."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import signal
import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from bench.availability import Watcher, touch

if TYPE_CHECKING:
    from bench.nodes import Machines, Place

KILLED_GOAL_SECONDS = 1.5
MARGIN_SECONDS = 2.0
GIVE_UP_SECONDS = 30.0

_CALM_SECONDS = 0.5
_ROOMS = itertools.count(1)


class Fault(Enum):
    """What happens to the owner of a room."""

    WORKER_KILLED = "worker killed"
    NODE_LOST = "node lost"
    WORKER_FROZEN = "worker frozen"
    NODE_FROZEN = "node frozen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A fault, and the way on which the client comes."""

    fault: Fault
    proxied: bool

    def __str__(self) -> str:
        return f"{self.fault.value}, {'proxy' if self.proxied else 'direct'}"

    def goal_seconds(self, lease_seconds: float) -> float:
        """What the 99th percentile has to stay under."""
        if self.fault is Fault.WORKER_KILLED:
            return KILLED_GOAL_SECONDS
        return lease_seconds + MARGIN_SECONDS


SCENARIOS = tuple(
    Scenario(fault=fault, proxied=proxied) for fault in Fault for proxied in (False, True)
)


async def outage(
    machines: Machines, scenario: Scenario, *, lease_seconds: float, chance: random.Random
) -> float:
    """Let it happen once; returns the seconds from the last good answer to the next one.

    Raises:
        TimeoutError: There was none for half a minute.
    """
    await machines.whole()
    room = f"failover/{next(_ROOMS)}"
    watcher = Watcher(await _addresses(machines, scenario, room, chance), room)
    watching = asyncio.create_task(watcher.run())
    try:
        async with asyncio.timeout(GIVE_UP_SECONDS):
            await watcher.good_answer()
        # Anywhere between two renewals of the lease.
        await asyncio.sleep(_CALM_SECONDS + chance.uniform(0, lease_seconds / 3))
        owner = await machines.owner(room)
        struck_at = time.perf_counter()
        await _strike(scenario.fault, owner)
        async with asyncio.timeout(GIVE_UP_SECONDS):
            await watcher.good_answer(connected_after=struck_at)
        await asyncio.sleep(_CALM_SECONDS)  # a first answer that is not the last word would show
        return watcher.longest_gap(struck_at)
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def _addresses(
    machines: Machines, scenario: Scenario, room: str, chance: random.Random
) -> list[str]:
    """Where the client tries. Of those that know both machines half begin at the wrong one."""
    if scenario.proxied:
        if machines.proxy is None:
            raise LookupError("there is no proxy")
        return [machines.proxy.url]
    one, two = (node.url for node in machines.nodes)
    if scenario.fault not in (Fault.NODE_LOST, Fault.NODE_FROZEN):
        return [one]
    if chance.random() < 1 / 2:
        return [one, two]
    await touch(one, room)
    return [two, one]


async def _strike(fault: Fault, owner: Place) -> None:
    node, slot = owner
    if fault is Fault.WORKER_KILLED:
        os.kill(node.worker(slot), signal.SIGKILL)
    elif fault is Fault.WORKER_FROZEN:
        node.freeze([node.worker(slot)])
    elif fault is Fault.NODE_FROZEN:
        node.freeze()
    else:
        await node.kill()
