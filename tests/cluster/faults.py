"""What goes wrong in the chaos tests: each fault begins, lasts, and is mended again.

A fault works on one node, chosen by chance, or on Postgres, and holds it for itself; two faults
at once therefore strike different places. When it returns, what it broke has been put right or
started again; whether the cluster has come back is for others to see.
"""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Protocol

import asyncpg
import psutil

from app.core.clock import SystemClock
from app.store.embedded import EmbeddedPostgres
from tests.cluster.link_proxy import LinkProxy, LinkState
from tests.cluster.node import WORKERS, Node, send

HOUR_SECONDS = 3600

_MARK_DEAD = "update worker set state = 'dead' where state <> 'dead' and address like $1"


class Place(Protocol):
    """What faults work on."""

    nodes: list[Node]
    postgres: EmbeddedPostgres
    postgres_busy: asyncio.Lock
    lease_seconds: float

    async def start(self, node: Node) -> None:
        """Start a node; one that cannot start just now is started again."""
        ...

    async def new_node(self) -> Node:
        """Another node, started."""
        ...

    def say(self, text: str) -> None:
        """Write down what happens."""
        ...

    def accuse(self, text: str) -> None:
        """Write down what must not happen."""
        ...


class Fault(Enum):
    """Everything that can go wrong."""

    KILL_WORKER = auto()
    KILL_NODE = auto()
    KILL_SUPERVISOR = auto()
    PAUSE_WORKER = auto()  # shorter than anybody notices
    FREEZE_WORKER = auto()  # its supervisor kills it
    FREEZE_NODE = auto()  # everything stands still beyond the lease, and goes on
    FREEZE_SUPERVISOR_AND_WORKER = auto()  # one worker goes on alone
    REPLACE_STOPPED_WORKER = auto()  # the next start comes while a worker stands still
    REPLACE_PARTITIONED_NODE = auto()  # another node comes while the old one is only cut off
    DRAIN_NODE = auto()
    ROLL_NODE = auto()
    DRAIN_WORKER = auto()  # for a moment, and it stays
    MOVE_ROOMS = auto()
    CUT_DATABASE_LINK = auto()
    STALL_STATEMENTS = auto()
    STALL_ANSWERS = auto()
    REFUSE_DATABASE = auto()
    RESTART_POSTGRES_FAST = auto()
    RESTART_POSTGRES_IMMEDIATE = auto()
    TAKE_FOR_DEAD = auto()  # a worker that is well is marked dead; reads may then be stale
    CUT_INNER_LINKS = auto()
    STALL_INNER_LINKS = auto()
    WRONG_CLOCK = auto()


class Strike:
    """One fault at its work.

    Args:
        place: What it works on.
        chance: Decides everything that is left open.
    """

    def __init__(self, place: Place, chance: random.Random) -> None:
        self._place = place
        self._chance = chance
        self._clock = SystemClock()

    async def __call__(self, fault: Fault) -> None:
        """Let the fault happen, from its beginning to its mending."""
        if fault in _POSTGRES:
            async with self._place.postgres_busy:
                await _POSTGRES[fault](self)
            return
        free = [node for node in self._place.nodes if not node.busy.locked()]
        node = self._chance.choice(free or self._place.nodes)
        async with node.busy:
            await _NODE[fault](self, node)

    # -- processes -----------------------------------------------------------------------------

    async def kill_worker(self, node: Node) -> None:
        slot, worker = await self._some_worker(node)
        self._say(node, f"SIGKILL worker {slot}")
        send(worker, signal.SIGKILL)
        await node.replaced(worker, slot)

    async def kill_node(self, node: Node) -> None:
        away = self._chance.choice([0.0, self._beyond_lease()])
        self._say(node, f"SIGKILL everything, start again after {away:.1f} s")
        await node.kill()
        await self._clock.sleep(away)
        await self._place.start(node)

    async def kill_supervisor(self, node: Node) -> None:
        self._say(node, "SIGKILL the supervisor, start again at once")
        await node.kill_supervisor()
        await self._place.start(node)

    async def pause_worker(self, node: Node) -> None:
        slot, worker = await self._some_worker(node)
        seconds = self._chance.uniform(0.1, min(0.8, self._place.lease_seconds / 3))
        self._say(node, f"SIGSTOP worker {slot} for {seconds:.1f} s")
        send(worker, signal.SIGSTOP)
        await self._clock.sleep(seconds)
        send(worker, signal.SIGCONT)

    async def freeze_worker(self, node: Node) -> None:
        slot, worker = await self._some_worker(node)
        self._say(node, f"SIGSTOP worker {slot} until its supervisor kills it")
        send(worker, signal.SIGSTOP)
        await node.replaced(worker, slot)

    async def freeze_node(self, node: Node) -> None:
        seconds = self._beyond_lease()
        self._say(node, f"SIGSTOP everything for {seconds:.1f} s")
        node.stop_everything()
        await self._clock.sleep(seconds)
        node.continue_everything()

    async def freeze_supervisor_and_worker(self, node: Node) -> None:
        slot, worker = await self._some_worker(node)
        seconds = self._beyond_lease()
        self._say(node, f"SIGSTOP the supervisor and worker {slot} for {seconds:.1f} s")
        node.pause()
        send(worker, signal.SIGSTOP)
        await self._clock.sleep(seconds)
        send(worker, signal.SIGCONT)
        await self._clock.sleep(self._chance.uniform(0, 1))
        node.go_on()

    async def replace_stopped_worker(self, node: Node) -> None:
        slot, worker = await self._some_worker(node)
        seconds = self._chance.choice([0.5, self._beyond_lease()])
        self._say(node, f"SIGSTOP worker {slot}, SIGKILL the supervisor, start; {seconds:.1f} s")
        send(worker, signal.SIGSTOP)
        await node.kill_supervisor()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._place.start(node))
            await self._clock.sleep(seconds)
            send(worker, signal.SIGCONT)

    async def replace_partitioned_node(self, node: Node) -> None:
        state = self._chance.choice([LinkState.STALL_BOTH, LinkState.REFUSE, LinkState.STALL_UP])
        self._say(node, f"database link {state.name}, another node takes its place")
        node.database.become(state)
        other = await self._place.new_node()
        await self._clock.sleep(self._chance.uniform(0, self._place.lease_seconds))
        self._say(node, f"{other.name} is there; the old node's link passes again")
        node.database.become(LinkState.PASS)
        await self._clock.sleep(self._chance.uniform(0, 2))
        self._place.nodes.remove(node)
        await node.close()

    async def drain_node(self, node: Node) -> None:
        self._say(node, "SIGTERM, start again")
        node.workers()
        node.ask_to_stop()
        status = await node.all_gone()
        if status != 0 and not self._place.postgres_busy.locked():
            self._place.accuse(f"{node.name} was asked to stop and ended with status {status}")
        await self._place.start(node)

    async def roll_node(self, node: Node) -> None:
        self._say(node, "SIGHUP")
        former = node.workers()
        supervisor = node.supervisor
        assert supervisor is not None
        send(supervisor, signal.SIGHUP)
        for slot, worker in former.items():
            await node.replaced(worker, slot)

    async def drain_worker(self, node: Node) -> None:
        slot, worker = await self._some_worker(node)
        self._say(node, f"worker {slot} drains for a moment")
        send(worker, signal.SIGUSR1)
        await self._clock.sleep(self._chance.uniform(0.5, 2))

    async def move_rooms(self, node: Node) -> None:
        times = self._chance.randint(1, 6)
        self._say(node, f"rooms are moved to other workers, {times} times")
        for _ in range(times):
            _, worker = await self._some_worker(node)
            send(worker, signal.SIGUSR2)
            await self._clock.sleep(self._chance.uniform(0, 0.4))

    async def wrong_clock(self, node: Node) -> None:
        slot, worker = await self._some_worker(node)
        seconds = self._chance.choice([-HOUR_SECONDS, HOUR_SECONDS])
        self._say(node, f"worker {slot} goes on with a clock that is {seconds} s off")
        node.set_clock(slot, seconds)
        send(worker, signal.SIGKILL)
        await node.replaced(worker, slot)

    # -- links ---------------------------------------------------------------------------------

    async def cut_database_link(self, node: Node) -> None:
        times = self._chance.randint(1, 5)
        self._say(node, f"database link cut {times} times")
        for _ in range(times):
            node.database.cut()
            await self._clock.sleep(self._chance.uniform(0, 0.5))

    async def stall_statements(self, node: Node) -> None:
        await self._stall(node, [node.database], LinkState.STALL_UP, "database")

    async def stall_answers(self, node: Node) -> None:
        await self._stall(node, [node.database], LinkState.STALL_DOWN, "database")

    async def refuse_database(self, node: Node) -> None:
        seconds = self._some_seconds()
        self._say(node, f"database link refuses for {seconds:.1f} s")
        node.database.become(LinkState.REFUSE)
        await self._clock.sleep(seconds)
        node.database.become(LinkState.PASS)

    async def cut_inner_links(self, node: Node) -> None:
        times = self._chance.randint(1, 5)
        self._say(node, f"links to its workers cut {times} times")
        for _ in range(times):
            for link in node.inward:
                link.cut()
            await self._clock.sleep(self._chance.uniform(0, 0.5))

    async def stall_inner_links(self, node: Node) -> None:
        state = self._chance.choice(
            [LinkState.STALL_UP, LinkState.STALL_DOWN, LinkState.STALL_BOTH, LinkState.REFUSE]
        )
        links = [node.inward[self._chance.randrange(WORKERS)]]
        if self._chance.random() < 0.5:
            links = list(node.inward)
        await self._stall(node, links, state, "inner")

    async def _stall(self, node: Node, links: list[LinkProxy], state: LinkState, what: str) -> None:
        seconds = self._some_seconds()
        cut = self._chance.random() < 0.3
        ending = "cut" if cut else "late"
        self._say(node, f"{what} links {state.name} for {seconds:.1f} s, then {ending}")
        for link in links:
            link.become(state)
        await self._clock.sleep(seconds)
        for link in links:
            if cut:
                link.cut()
            link.become(LinkState.PASS)

    async def take_for_dead(self, node: Node) -> None:
        """Others cannot reach its workers and take them for dead; their own clients still can."""
        slot, _ = await self._some_worker(node)
        self._say(node, f"worker {slot} is marked dead, and it is well; no links to it")
        for link in node.inward:
            link.become(LinkState.REFUSE)
        await self._clock.sleep(self._chance.uniform(0.1, 0.5))
        async with self._place.postgres_busy:
            session = await asyncpg.connect(self._place.postgres.url)
            try:
                await session.execute(_MARK_DEAD, f"%:{node.inward[slot].port}")
            finally:
                await session.close()
        await self._clock.sleep(self._chance.uniform(0.5, 1))
        for link in node.inward:
            link.become(LinkState.PASS)

    # -- Postgres ------------------------------------------------------------------------------

    async def restart_postgres_fast(self) -> None:
        await self._restart("fast", self._place.postgres.stop)

    async def restart_postgres_immediate(self) -> None:
        async def stop() -> None:
            assert self._place.postgres.pid is not None
            os.kill(self._place.postgres.pid, signal.SIGQUIT)
            await self._place.postgres.wait()

        await self._restart("immediate", stop)

    async def _restart(self, mode: str, stop: Callable[[], Awaitable[None]]) -> None:
        away = self._chance.choice([0.0, 0.5, self._beyond_lease()])
        self._place.say(f"Postgres: {mode} stop, start again after {away:.1f} s")
        await stop()
        await self._clock.sleep(away)
        await self._place.postgres.start()

    # -- chance --------------------------------------------------------------------------------

    async def _some_worker(self, node: Node) -> tuple[int, psutil.Process]:
        slot = self._chance.randrange(WORKERS)
        return slot, await node.worker(slot)

    def _beyond_lease(self) -> float:
        return self._place.lease_seconds + self._chance.uniform(0.3, 2)

    def _some_seconds(self) -> float:
        """Shorter than the lease, or longer."""
        short = self._chance.uniform(0.1, self._place.lease_seconds * 0.8)
        return self._chance.choice([short, self._beyond_lease()])

    def _say(self, node: Node, text: str) -> None:
        self._place.say(f"{node.name}: {text}")


_NODE: dict[Fault, Callable[[Strike, Node], Awaitable[None]]] = {
    Fault.KILL_WORKER: Strike.kill_worker,
    Fault.KILL_NODE: Strike.kill_node,
    Fault.KILL_SUPERVISOR: Strike.kill_supervisor,
    Fault.PAUSE_WORKER: Strike.pause_worker,
    Fault.FREEZE_WORKER: Strike.freeze_worker,
    Fault.FREEZE_NODE: Strike.freeze_node,
    Fault.FREEZE_SUPERVISOR_AND_WORKER: Strike.freeze_supervisor_and_worker,
    Fault.REPLACE_STOPPED_WORKER: Strike.replace_stopped_worker,
    Fault.REPLACE_PARTITIONED_NODE: Strike.replace_partitioned_node,
    Fault.DRAIN_NODE: Strike.drain_node,
    Fault.ROLL_NODE: Strike.roll_node,
    Fault.DRAIN_WORKER: Strike.drain_worker,
    Fault.MOVE_ROOMS: Strike.move_rooms,
    Fault.CUT_DATABASE_LINK: Strike.cut_database_link,
    Fault.STALL_STATEMENTS: Strike.stall_statements,
    Fault.STALL_ANSWERS: Strike.stall_answers,
    Fault.REFUSE_DATABASE: Strike.refuse_database,
    Fault.TAKE_FOR_DEAD: Strike.take_for_dead,
    Fault.CUT_INNER_LINKS: Strike.cut_inner_links,
    Fault.STALL_INNER_LINKS: Strike.stall_inner_links,
    Fault.WRONG_CLOCK: Strike.wrong_clock,
}
_POSTGRES: dict[Fault, Callable[[Strike], Awaitable[None]]] = {
    Fault.RESTART_POSTGRES_FAST: Strike.restart_postgres_fast,
    Fault.RESTART_POSTGRES_IMMEDIATE: Strike.restart_postgres_immediate,
}
