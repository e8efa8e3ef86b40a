"""The whole cluster: nodes with their supervisors, clients that ask, faults that strike.

Storms of faults and calms take turns. In a storm only safety is asked for; in a calm every
object must be written again within the lease and a bound, and then the next storm comes, with
another mixture.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count

from tests.simulation.database import Database
from tests.simulation.network import Network
from tests.simulation.oracle import Operation, Oracle
from tests.simulation.process import Process, ProcessState
from tests.simulation.swarm import CALM, Swarm
from tests.simulation.variants import Variant
from tests.simulation.world import World

_OBJECTS = 3
_KEYS = 2
_OPERATIONS_PER_SECOND = 20.0
_FIRST_STORM = 1_200
_STORM = 1_500
_BOUND_SECONDS = 12.0


class Node:
    """One machine: its supervisor, its way to the database, its workers."""

    def __init__(self, cluster: "Cluster", number: int, slots: int) -> None:
        self.cluster = cluster
        self.number = number
        self.boot = number * 1_000_000
        self.up = True
        self.generation = 0
        self.network = Network(cluster.world, cluster.database)
        self.processes = [
            Process(
                cluster.world,
                self.network,
                cluster.oracle,
                cluster.variant,
                place=(number, slot),
                lease=cluster.lease,
                ids=cluster.ids,
                ended=self._ended,
            )
            for slot in range(slots)
        ]
        # The supervisor asks the database as a process that is never stopped.
        self.supervisor = Process(
            cluster.world,
            self.network,
            cluster.oracle,
            cluster.variant,
            place=(number, -1),
            lease=cluster.lease,
            ids=cluster.ids,
            ended=lambda _: None,
        )
        self.supervisor.state = ProcessState.RUNNING

    def start(self) -> None:
        """Bury who was here before, then start the workers."""
        for process in self.processes:
            self._bury_and_start(process)

    def silent(self, process: Process) -> None:
        """The supervisor has not heard of a worker for half a lease: it kills it."""
        if process.state is not ProcessState.STOPPED or not self.up:
            return
        if self.cluster.variant.buries_the_living:
            # It goes on where it stood as soon as it is continued.
            self.supervisor.bury(process.place, process.boot, lambda *_: None)
        else:
            process.kill()

    def lose(self, seconds: float) -> None:
        """The machine is gone, and comes back; perhaps it was started anew."""
        if not self.up:
            return
        self.up = False
        self.generation += 1
        self.supervisor.life += 1
        for process in self.processes:
            process.kill()
        if self.cluster.world.chance.random() < 0.5:
            self.boot += 1
        self.cluster.world.after(seconds, self._return)

    def _return(self) -> None:
        self.up = True
        self.start()

    def _ended(self, process: Process) -> None:
        if self.up:
            seconds = self.cluster.world.chance.uniform(0.01, 0.05)
            seconds = seconds if process.has_lived else 10 * seconds
            self.cluster.world.after(seconds, self._bury_and_start, process, self.generation)

    def _bury_and_start(self, process: Process, generation: int | None = None) -> None:
        """It was reaped, or its lock is free: its row is dead, and a new process may start."""
        if generation is not None and generation != self.generation:
            return
        if process.state is not ProcessState.DEAD:
            return
        now = self.generation
        boot = process.boot if generation is not None else self.boot

        def then(*_: object) -> None:
            if self.up and now == self.generation and process.state is ProcessState.DEAD:
                process.start(self.boot)

        self.supervisor.bury(process.place, boot, then)


class Cluster:
    """See the module.

    Args:
        seed: Decides everything.
        variant: What is broken.
        focus: Faults that are so many times as frequent as usual.
    """

    def __init__(
        self,
        seed: int,
        variant: Variant | None = None,
        *,
        focus: Mapping[str, float] | None = None,
    ) -> None:
        self.world = World(seed)
        chance = self.world.chance
        self.variant = variant or Variant()
        self.lease = chance.uniform(1.2, 2.5)
        self.ids = count(1)
        self.database = Database(self.world)
        self.oracle = Oracle(self.world, self.database, lease=self.lease)
        self.database.watcher = self.oracle
        self.nodes = [Node(self, number, slots) for number, slots in enumerate((2, 2))]
        self.processes = [process for node in self.nodes for process in node.processes]
        self.faults: Counter[str] = Counter()
        self.calms = 0
        self.longest_calm = 0.0
        self._focus = focus
        self._operations = count(1)
        self._storm = 0
        self._swarm = CALM
        self._storm_ends = _FIRST_STORM
        self._calm_since: float | None = None
        self._begin_storm(all_of_them=True)
        for node in self.nodes:
            node.start()
        self._next_operation()

    def run(self, steps: int) -> None:
        """Take that many steps.

        Raises:
            Violation: An invariant does not hold.
        """
        world, oracle = self.world, self.oracle
        end = world.steps + steps
        while world.steps < end:
            world.step()
            oracle.check()
            if self._calm_since is not None:
                self._watch_the_calm(self._calm_since)
            elif world.steps >= self._storm_ends:
                self._begin_calm()

    # -- storms and calms ----------------------------------------------------------------------

    def _begin_storm(self, *, all_of_them: bool) -> None:
        self._storm += 1
        self._calm_since = None
        chance = self.world.chance
        self._set(Swarm.draw(chance, all_of_them=all_of_them, focus=self._focus))
        for kind, rate in self._swarm.rates.items():
            if rate > 0:
                self._plan(kind, rate, self._storm)

    def _begin_calm(self) -> None:
        """Mend everything that does not mend itself."""
        self._storm += 1
        self._calm_since = self.world.now
        self._set(CALM)
        self.database.disk_is_slow = self.database.standby_is_slow = self.world.now
        self.database.forget_the_dead(self.database.clock() - 20 * self.lease)
        for node in self.nodes:
            node.network.requests_cut_until = node.network.answers_cut_until = self.world.now
        expires = [row.expires for row in self.database.tables.workers.values() if not row.dead]
        longest = max([0.0, *(each - self.database.clock() for each in expires)])
        self._calm_bound = max(longest, self.lease) + _BOUND_SECONDS

    def _watch_the_calm(self, since: float) -> None:
        written = self.oracle.written_at
        if all(written.get(each, -1.0) > since for each in range(_OBJECTS)):
            self.calms += 1
            self.longest_calm = max(self.longest_calm, self.world.now - since)
            self.oracle.compare()
            self._storm_ends = self.world.steps + _STORM
            self._begin_storm(all_of_them=False)
        elif self.world.now > since + self._calm_bound:
            raise self.world.violated(
                f"{self._calm_bound:.1f} s after the last fault an object was not written yet"
            )

    def _set(self, swarm: Swarm) -> None:
        self._swarm = self.database.swarm = swarm
        for node in self.nodes:
            node.network.swarm = swarm

    # -- clients -------------------------------------------------------------------------------

    def _next_operation(self) -> None:
        chance = self.world.chance
        object_id, key = chance.randrange(_OBJECTS), chance.randrange(_KEYS)
        operation = Operation(
            number=next(self._operations),
            object_id=object_id,
            key=key,
            writes=chance.random() < 0.6,
            known=self.oracle.acknowledged.get((object_id, key)),
        )
        serving = [each for each in self.processes if object_id in each.rooms]
        patience = 0.5 if serving and serving[-1].state is ProcessState.STOPPED else 0.95
        if serving and chance.random() < patience:
            process = serving[-1]
        else:
            running = [each for each in self.processes if each.state is not ProcessState.DEAD]
            process = chance.choice(running or self.processes)
        process.deliver(process.life, process.hear, operation)
        self.world.after(chance.expovariate(_OPERATIONS_PER_SECOND), self._next_operation)

    # -- faults --------------------------------------------------------------------------------

    def _plan(self, kind: str, rate: float, storm: int) -> None:
        self.world.after(self.world.chance.expovariate(rate), self._strike, kind, rate, storm)

    def _strike(self, kind: str, rate: float, storm: int) -> None:
        if storm != self._storm:
            return
        self.faults[kind] += 1
        strike: Callable[[], None] = getattr(self, f"_{kind}")
        strike()
        self._plan(kind, rate, storm)

    def _victim(self, *, hurts: Callable[[Process], bool]) -> Process:
        """Choose a process, most often one that it hurts."""
        hurt = [each for each in self.processes if hurts(each)]
        if not hurt or self.world.chance.random() < 0.2:
            hurt = self.processes
        return self.world.chance.choice(hurt)

    def _crash(self) -> None:
        self._victim(hurts=lambda process: process.is_committing).kill()

    def _pause(self) -> None:
        process = self._victim(hurts=lambda process: bool(process.rooms))
        process.stop(self.lease * self.world.chance.uniform(0.1, 2.2))
        node = self.nodes[process.place[0]]
        if self.world.chance.random() < 0.4:
            part = 0.1 if self.variant.buries_the_living else 0.5
            self.world.after(self.lease * part, node.silent, process)

    def _lose_node(self) -> None:
        seconds = self.lease * self.world.chance.uniform(0.1, 2.0)
        self.world.chance.choice(self.nodes).lose(seconds)

    def _freeze_node(self) -> None:
        seconds = self.lease * self.world.chance.uniform(0.2, 3.0)
        process = self._victim(hurts=lambda process: bool(process.rooms))
        for each in self.nodes[process.place[0]].processes:
            each.stop(seconds)

    def _cut(self) -> None:
        network = self.world.chance.choice(self.nodes).network
        until = self.world.now + self.lease * self.world.chance.uniform(0.1, 2.0)
        drawn = self.world.chance.randrange(3)
        if drawn != 0:
            network.requests_cut_until = until
        if drawn != 1:
            network.answers_cut_until = until

    def _reset(self) -> None:
        self.world.chance.choice(self.nodes).network.reset()

    def _restart_database(self) -> None:
        self.database.restart()

    def _fail_over(self) -> None:
        """The first machine dies; most often its standby had fallen behind before."""
        lag = self.world.chance.uniform(0.0, 0.6)
        self.database.standby_is_slow = self.world.now + lag + 1.0
        ahead = self.world.chance.uniform(-1.5, 1.5) * self.lease
        self.world.after(lag, self.database.fail_over, ahead)

    def _step_clock(self) -> None:
        self.database.step_clock(self.world.chance.uniform(-1.5, 1.5) * self.lease)

    def _stall_disk(self) -> None:
        self.database.disk_is_slow = self.world.now + self.world.chance.uniform(0.1, 1.5)

    def _stall_standby(self) -> None:
        self.database.standby_is_slow = self.world.now + self.world.chance.uniform(0.1, 1.5)

    def _drain(self) -> None:
        process = self.world.chance.choice(self.processes)
        process.deliver(process.life, process.drain)

    def _move(self) -> None:
        process = self.world.chance.choice(self.processes)
        if process.state is ProcessState.RUNNING and process.rooms:
            self.world.chance.choice(list(process.rooms.values())).leave()
