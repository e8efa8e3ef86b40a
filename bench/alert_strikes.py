"""What is done to a cluster, and which alerts must tell of it: those that the runbook names.

A strike tells first what is done, then, once its alerts have fired, how it is mended. What *may*
fire beside them are consequences that depend on how long the fault lasts.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.nodes import WORKERS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.nodes import Machines
    from bench.prometheus import Prometheus

ROOM: Final = "alerts/room"
_STARTED: Final = "max(changes(stateroom_worker_start_time_seconds[1m]))"
_SEEN_SECONDS: Final = 60.0
_REPLACED: Final = (
    "count(max without (instance) (changes(stateroom_worker_start_time_seconds[1m])) > 0)"
)

_OF_A_LEASE: Final = frozenset(
    {
        "StateroomLeaseMarginLow",
        "StateroomLeasesLost",
        "StateroomFailovers",
        "StateroomRoomAborts",
        "StateroomRoomsStalled",
        "StateroomCommitsSlow",
        "StateroomGateWaits",
        "StateroomEventLoopLags",
    }
)
"""When a worker stands still, or is without its database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """See the module.

    Attributes:
        name: For people.
        deed: Does it.
        mend: Undoes it, after the alerts have fired.
        alerts: What must fire; nothing: it must stay quiet.
        beside: What may fire too.
    """

    name: str
    deed: Callable[[Machines, Prometheus], Awaitable[None]]
    mend: Callable[[Machines, Prometheus], Awaitable[None]]
    alerts: frozenset[str] = frozenset()
    beside: frozenset[str] = frozenset()


async def nothing(_machines: Machines, _prometheus: Prometheus) -> None:
    """Leave it to mend itself."""


async def reload_the_proxy(machines: Machines, _prometheus: Prometheus) -> None:
    """Have the proxy read its files again."""
    if machines.proxy is None:
        raise LookupError("there is no proxy")
    await machines.proxy.reload()


async def roll_over(machines: Machines, prometheus: Prometheus) -> None:
    """Have every worker of the machine that has the room replaced by a new one."""
    os.kill((await machines.owner(ROOM)).node.supervisor(), signal.SIGHUP)
    await prometheus.comes_to(_REPLACED, WORKERS, within_seconds=_SEEN_SECONDS)


async def kill_the_owner(machines: Machines, _prometheus: Prometheus) -> None:
    """End the worker that has the room; its supervisor starts another."""
    owner = await machines.owner(ROOM)
    os.kill(owner.node.worker(owner.slot), signal.SIGKILL)


async def kill_again_and_again(machines: Machines, prometheus: Prometheus) -> None:
    """End one worker three times, each time after Prometheus has seen it start."""
    node = machines.nodes[0]
    for number in range(1, 4):
        await machines.whole()
        os.kill(node.worker(0), signal.SIGKILL)
        await prometheus.comes_to(_STARTED, number, within_seconds=_SEEN_SECONDS)


async def stop_the_database(machines: Machines, _prometheus: Prometheus) -> None:
    """Stop Postgres."""
    await machines.postgres.stop()


async def start_the_database(machines: Machines, _prometheus: Prometheus) -> None:
    """Start it again."""
    await machines.postgres.start()


async def freeze_the_owner(machines: Machines, _prometheus: Prometheus) -> None:
    """Stop every process of the machine that has the room in its tracks."""
    (await machines.owner(ROOM)).node.freeze()


async def lose_the_machine(machines: Machines, _prometheus: Prometheus) -> None:
    """End every process of the machine that has the room."""
    await (await machines.owner(ROOM)).node.kill()


async def thaw(machines: Machines, _prometheus: Prometheus) -> None:
    """Let all go on."""
    for node in machines.nodes:
        node.thaw()


STRIKES: Final = (
    Strike(name="proxy reloaded", deed=reload_the_proxy, mend=nothing),
    Strike(name="workers rolled over", deed=roll_over, mend=nothing),
    Strike(
        name="worker killed",
        deed=kill_the_owner,
        mend=nothing,
        alerts=frozenset({"StateroomFailovers"}),
        beside=frozenset({"StateroomWorkerDown"}),
    ),
    Strike(
        name="database stopped for a while",
        deed=stop_the_database,
        mend=start_the_database,
        alerts=frozenset({"StateroomDatabaseDown"}),
        beside=_OF_A_LEASE,
    ),
    Strike(
        name="machine lost",
        deed=lose_the_machine,
        mend=nothing,
        alerts=frozenset({"StateroomScrapeFails", "StateroomWorkerDown", "StateroomFailovers"}),
        beside=_OF_A_LEASE,
    ),
    Strike(
        # No takeover is demanded: nginx looks after no machine by itself, and goes on to give
        # a frozen one its clients.
        name="machine frozen for a while",
        deed=freeze_the_owner,
        mend=thaw,
        alerts=frozenset({"StateroomScrapeFails", "StateroomWorkerDown"}),
        beside=_OF_A_LEASE,
    ),
    Strike(
        name="worker killed three times",
        deed=kill_again_and_again,
        mend=nothing,
        alerts=frozenset({"StateroomWorkerRestarts"}),
        beside=frozenset({"StateroomWorkerDown", "StateroomFailovers"}),
    ),
)
