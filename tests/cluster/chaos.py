"""A cluster of the tests' own, and rounds of faults under load with a judgement after each.

A round has rooms and ledgers that nobody used before. Everybody works; faults come one after the
other, now and then two at once; after each the cluster must come back: every room and every
ledger can be written. In the end those who write fall silent, and everything is compared: what
was acknowledged, what Postgres has, what a fresh client gets, what those have who listened all
along.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import asyncpg

from app.core.clock import SystemClock
from app.store.data_directory import DataDirectory
from app.store.embedded import EmbeddedPostgres
from app.store.migration import migrate
from tests.cluster.alarm_runs import OF_RUNS
from tests.cluster.callers import Callers, client
from tests.cluster.checker import History
from tests.cluster.faults import Fault, Strike
from tests.cluster.ledger_history import LedgerHistory
from tests.cluster.node import WORKERS, Node, make_node
from tests.cluster.settling import Judgement, judge
from tests.cluster.visitors import Visitors

LEASE_SECONDS = 2.5
RECOVERY_SECONDS = LEASE_SECONDS + 10
"""How soon after a fault every room must be writable again, on a machine that is not too busy."""
SLOW_SECONDS = LEASE_SECONDS + 0.5
ROUND_SECONDS = 900.0
_SETTINGS = {
    "STATEROOM_LEASE_SECONDS": str(LEASE_SECONDS),
    "STATEROOM_RENEW_SECONDS": "0.5",
    "STATEROOM_IDLE_SECONDS": "2",
    "STATEROOM_EVICT_SECONDS": "2",
    "STATEROOM_NAMESPACES": "ledger=tests.cluster.ledger:Ledger",
}
_STARTS = 3
_LOOK_SECONDS = 0.2
_LIVE = """
select count(*) from worker where state <> 'dead' and lease_expires_at > clock_timestamp()
"""
_TWO_AT_ONCE = 0.2


@dataclass(slots=True)
class Tally:
    """What has happened, over all rounds of a run."""

    faults: Counter[Fault] = field(default_factory=Counter)
    recoveries: dict[Fault, list[float]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    changes: int = 0
    appends: int = 0
    unknown: int = 0
    alarms: int = 0
    relays: int = 0
    reads: int = 0
    pushes: int = 0
    visits: int = 0
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        faults = ", ".join(f"{fault.name} {count}" for fault, count in self.faults.most_common())
        slowest = max((max(each) for each in self.recoveries.values()), default=0.0)
        return (
            f"{self.faults.total()} faults ({faults}); "
            f"acknowledged: {self.changes} changes and {self.appends} appends "
            f"({self.unknown} with an unknown end); {self.alarms} alarms run, "
            f"{self.relays} relays, {self.reads} reads, {self.pushes} pushes, "
            f"{self.visits} visits; slowest recovery {slowest:.1f} s; "
            f"{len(self.violations)} violations; not answered well: {dict(self.refused)}"
        )


class Cluster:
    """A Postgres of its own and nodes that come and go; made by `cluster_in`.

    Attributes:
        nodes: Those that take part now.
        tally: What has happened.
    """

    def __init__(
        self,
        folder: Path,
        postgres: EmbeddedPostgres,
        stack: AsyncExitStack,
        tell: Callable[[str], None],
    ) -> None:
        self.nodes: list[Node] = []
        self.postgres = postgres
        self.postgres_busy = asyncio.Lock()
        self.lease_seconds = LEASE_SECONDS
        self.tally = Tally()
        self.numbers = itertools.count(1).__next__
        self._folder = folder
        self._stack = stack
        self._tell = tell
        self._clock = SystemClock()
        self._began = self._clock.monotonic()
        self._all: list[Node] = []
        self._log_faults: set[str] = set()

    async def new_node(self) -> Node:
        """Another node, started."""
        name = f"node-{len(self._all) + 1}"
        node = await make_node(
            name,
            self._folder / name,
            self._stack,
            postgres_socket=f"{self._folder / 'database' / 'postgres'}/.s.PGSQL.5432",
            **_SETTINGS,
        )
        self._all.append(node)
        await self.start(node)
        self.nodes.append(node)
        return node

    async def start(self, node: Node) -> None:
        """Start a node; one that cannot start just now is started again."""
        for _ in range(_STARTS - 1):
            try:
                await node.start()
            except AssertionError as error:
                self.say(f"{node.name}: did not start: {str(error)[-300:]}")
                await node.kill()
            else:
                return
        await node.start()

    async def manned(self) -> float:
        """Wait until every node has all its workers; returns when that was."""
        session = await asyncpg.connect(self.postgres.url)
        try:
            while await session.fetchval(_LIVE) < WORKERS * len(self.nodes):
                await self._clock.sleep(_LOOK_SECONDS)
        finally:
            await session.close()
        return self._clock.monotonic()

    def say(self, text: str) -> None:
        """Write down what happens."""
        self._tell(f"{self._clock.monotonic() - self._began:8.2f}  {text}")

    def accuse(self, text: str) -> None:
        """Write down what must not happen."""
        self.say(f"VIOLATION {text}")
        self.tally.violations.append(text)

    def sockets(self) -> list[str]:
        """The nodes' addresses for WebSockets."""
        return [node.url for node in self.nodes]

    def pages(self) -> list[str]:
        """The nodes' addresses for HTTP."""
        return [node.url.replace("ws", "http", 1) for node in self.nodes]

    def new_log_faults(self) -> list[str]:
        """What any node has logged that must never happen, since it was last asked for."""
        found = [
            f"{node.name} logged {fault[:200]} ... {fault[-300:]}"
            for node in self._all
            for fault in node.faults()
        ]
        new = [fault for fault in found if fault not in self._log_faults]
        self._log_faults.update(new)
        return new


@asynccontextmanager
async def cluster_in(
    folder: Path, *, nodes: int, tell: Callable[[str], None]
) -> AsyncIterator[Cluster]:
    """Start Postgres and some nodes in a folder; end every process of theirs."""
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(DataDirectory(folder / "database"))
        postgres = EmbeddedPostgres(directory, settings={"max_connections": "200"})
        await stack.enter_async_context(postgres)
        await migrate(postgres.url)
        cluster = Cluster(folder, postgres, stack, tell)
        for _ in range(nodes):
            await cluster.new_node()
        yield cluster


def plan(chance: random.Random) -> Iterator[list[Fault]]:
    """Which faults come, for ever: every kind once before any comes again."""
    deck: list[Fault] = []
    while True:
        struck = []
        for _ in range(2 if chance.random() < _TWO_AT_ONCE else 1):
            if not deck:
                deck = chance.sample(list(Fault), k=len(Fault))
            struck.append(deck.pop())
        yield struck


def plan_of(chance: random.Random, count: int) -> list[list[Fault]]:
    """The beginning of a plan, with so many faults at least."""
    found: list[list[Fault]] = []
    for struck in plan(chance):
        found.append(struck)
        if sum(map(len, found)) >= count:
            break
    return found


class Round:
    """One round on a cluster.

    Args:
        cluster: Where it takes place.
        chance: Decides everything; its seed tells the round apart from others.
        recovery_seconds: How soon after a fault everything must be writable again.
        rooms: How many TinyBase rooms.
        ledgers: How many ledgers.
    """

    def __init__(
        self,
        cluster: Cluster,
        chance: random.Random,
        *,
        recovery_seconds: float = RECOVERY_SECONDS,
        rooms: int = 3,
        ledgers: int = 3,
    ) -> None:
        self._cluster = cluster
        self._recovery_seconds = recovery_seconds
        self._chance = chance
        self._clock = SystemClock()
        self._rooms = [f"room-{cluster.numbers()}" for _ in range(rooms)]
        self._ledgers = [f"ledger-{cluster.numbers()}" for _ in range(ledgers)]
        self._history = History()
        self._ledger_history = LedgerHistory(own=lambda text: text.startswith(OF_RUNS))
        self._visitors = Visitors(
            cluster.sockets, self._history, cluster.numbers, random.Random(chance.random())
        )
        self._callers = Callers(
            cluster.pages, self._ledger_history, cluster.numbers, random.Random(chance.random())
        )

    async def run(self, faults: Sequence[list[Fault]]) -> None:
        """Let the faults happen; what was found is in the cluster's tally."""
        async with asyncio.timeout(ROUND_SECONDS), asyncio.TaskGroup() as tasks:
            working = self._visitors.come(tasks, self._rooms)
            working += self._callers.come(tasks, self._ledgers)
            await self._recovered([])
            for struck in faults:
                await self._clock.sleep(self._chance.uniform(0.3, 1.5))
                strike = Strike(self._cluster, self._chance)
                self._ledger_history.trusting = Fault.TAKE_FOR_DEAD not in struck
                await asyncio.gather(*(strike(fault) for fault in struck))
                await self._recovered(struck)
                if not self._ledger_history.trusting:
                    await self._clock.sleep(LEASE_SECONDS)  # by then it knows
                    self._ledger_history.trusting = True
            self._visitors.fall_silent()
            self._callers.leave()
            await asyncio.wait(working)
            case = self._case()
            violations = await judge(case)
            self._visitors.leave()
        self._add_up(case, violations)

    def _case(self) -> Judgement:
        return Judgement(
            history=self._history,
            ledger_history=self._ledger_history,
            visitors=self._visitors,
            database_url=self._cluster.postgres.url,
            sockets=self._cluster.sockets(),
            pages=self._cluster.pages(),
            rooms=self._rooms,
            ledgers=self._ledgers,
        )

    async def _recovered(self, struck: list[Fault]) -> None:
        """Wait until everything can be written again, through every node.

        The time that a busy machine takes to start processes is nobody's fault.
        """
        began = self._clock.monotonic()
        async with client() as http, asyncio.TaskGroup() as tasks:
            manned = tasks.create_task(self._cluster.manned())
            for node in self._cluster.nodes:
                for room in self._rooms:
                    prove = partial(self._visitors.prove, room, node.url)
                    tasks.create_task(self._until(prove, f"{room} through {node.name}"))
                page = node.url.replace("ws", "http", 1)
                for ledger in self._ledgers:
                    append = partial(self._callers.append, http, page, ledger)
                    tasks.create_task(self._until(append, f"{ledger} through {node.name}"))
        seconds = self._clock.monotonic() - began
        allowed = max(0.0, manned.result() - began) + self._recovery_seconds
        names = " and ".join(fault.name for fault in struck) or "start"
        self._cluster.say(f"      came back {seconds:.1f} s after {names}")
        tally = self._cluster.tally
        tally.faults.update(struck)
        for fault in struck:
            tally.recoveries.setdefault(fault, []).append(seconds)
        if seconds > allowed:
            self._cluster.accuse(f"came back {seconds:.1f} s after {names}")

    async def _until(self, proven: Callable[[], Awaitable[bool]], what: str) -> None:
        """Try until it works; a try that takes long is told, for a client would wait for it."""
        while True:
            began = self._clock.monotonic()
            done = await proven()
            seconds = self._clock.monotonic() - began
            if seconds > SLOW_SECONDS:
                told = "answered" if done else "not answered"
                self._cluster.say(f"      {what}: {told} in {seconds:.1f} s")
            if done:
                return
            await self._clock.sleep(0.1)

    def _add_up(self, case: Judgement, violations: list[str]) -> None:
        tally, ledgers = self._cluster.tally, self._ledger_history
        tally.alarms += case.alarms
        tally.changes += len(self._history.acknowledged())
        tally.appends += ledgers.acknowledged
        tally.unknown += ledgers.unknown
        tally.reads += ledgers.reads
        tally.relays += ledgers.relays
        tally.pushes += ledgers.pushes
        tally.visits += self._visitors.visits
        tally.refused.update(self._callers.refused)
        tally.violations += violations
