"""One worker process: the real lease protocol, with rooms and a committer around it.

A process may be killed between any two steps, or stopped for as long as one likes: what arrives
meanwhile waits. Its clock started anywhere and runs a little too fast or too slow, within what
the margin of the lease allows for.
"""

from collections.abc import Callable
from enum import Enum, auto
from itertools import count
from typing import Any
from uuid import UUID

from app.cluster.lease_protocol import (
    AbortRooms,
    Begin,
    Bury,
    Errand,
    Outcome,
    Register,
    Renew,
    Standing,
    Wait,
)
from app.core.ids import WorkerId
from tests.simulation import statements
from tests.simulation.network import Done, Network
from tests.simulation.oracle import Operation, Oracle
from tests.simulation.rooms import CommitLane, Room
from tests.simulation.statements import Claimed, Make
from tests.simulation.variants import Variant
from tests.simulation.world import World

_CLAIM_TRIES = 5
_CLAIM_PAUSE = 0.05
_REFUSED_SECONDS = 0.1
_TIMER_SECONDS = 1e-6
_DRAIN_SECONDS = 5.0


class ProcessState(Enum):
    """What the machine makes of a process."""

    DEAD = auto()
    RUNNING = auto()
    STOPPED = auto()


class Process:
    """See the module. One slot of a node; process after process runs in it.

    Args:
        world: Time and chance.
        network: The node's way to the database.
        oracle: Told what leaves.
        variant: What is broken.
        place: Node and slot.
        lease: Length in seconds.
        ids: Numbers for lives.
        ended: Told that the process is gone.
    """

    def __init__(
        self,
        world: World,
        network: Network,
        oracle: Oracle,
        variant: Variant,
        *,
        place: tuple[int, int],
        lease: float,
        ids: "count[int]",
        ended: Callable[["Process"], None],
    ) -> None:
        self.world = world
        self.network = network
        self.oracle = oracle
        self.variant = variant
        self.place = place
        self.lease_seconds = lease
        self.state = ProcessState.DEAD
        self.life = 0
        self.rate = 1.0
        self.boot = 0
        self.rooms: dict[int, Room] = {}
        self._origin = 0.0
        self._ids = ids
        self._ended = ended
        self._backlog: list[tuple[int, Callable[..., None], tuple[Any, ...]]] = []
        self._opening: dict[int, list[Operation]] = {}
        self._draining = self._exiting = self.has_lived = False
        self.protocol = variant.protocol(lease=lease, new_id=self._next_id)
        self.lane = CommitLane(self, self.worker)

    # -- the machine ---------------------------------------------------------------------------

    def clock(self) -> float:
        """The process's own monotonic clock."""
        return self._origin + self.rate * self.world.now

    def start(self, boot: int) -> None:
        """Run a new process in the slot."""
        chance = self.world.chance
        self.state = ProcessState.RUNNING
        self.life += 1
        self.boot = boot
        self.rate = chance.uniform(0.91, 1.1)
        self._origin = chance.uniform(-1e6, 1e6)
        self.rooms = {}
        self._opening = {}
        self._refused: dict[int, float] = {}
        self._backlog.clear()
        self._draining = self._exiting = self.has_lived = False
        self.protocol = self.variant.protocol(lease=self.lease_seconds, new_id=self._next_id)
        self.lane = CommitLane(self, self.worker)
        self._do(self.protocol.start(now=self.clock()))

    def kill(self) -> None:
        """End it without a word."""
        if self.state is ProcessState.DEAD:
            return
        self.state = ProcessState.DEAD
        for room in self.rooms.values():
            self.oracle.closed(room)
        self.rooms = {}
        self._ended(self)

    def stop(self, seconds: float) -> None:
        """Stop it where it stands, to go on later."""
        if self.state is ProcessState.RUNNING:
            self.state = ProcessState.STOPPED
            self.world.after(seconds, self._resume, self.life)

    def _resume(self, life: int) -> None:
        if self.state is ProcessState.STOPPED and self.life == life:
            self.state = ProcessState.RUNNING
            backlog, self._backlog = self._backlog, []
            self.world.chance.shuffle(backlog)
            for each in backlog:
                self.world.after(0.0, self.deliver, each[0], each[1], *each[2])

    def deliver(self, life: int, call: Callable[..., None], *arguments: Any) -> None:
        """Let something happen in the process, if it is still the same one."""
        if life != self.life or self.state is ProcessState.DEAD:
            return
        if self.state is ProcessState.STOPPED:
            self._backlog.append((life, call, arguments))
        else:
            call(*arguments)

    def later(self, seconds: float, call: Callable[..., None], *arguments: Any) -> None:
        """Set a timer of the process. It is late by a little, never early."""
        seconds = max(seconds, 0.0) + _TIMER_SECONDS
        self.world.after(seconds / self.rate, self.deliver, self.life, call, *arguments)

    def ask(self, make: Make, done: Done, *, within: float | None = None) -> None:
        """Run a statement."""
        self.network.send(self, make, done, within=within)

    def bury(self, place: tuple[int, int], boot: int, done: Done) -> None:
        """Mark whoever was at a place dead; the caller has proof that they are."""

        def then(came: bool, lives: Any) -> None:
            if came and lives:
                self.ask(statements.bury(lives), done)
            else:
                done(came, lives)

        if self.variant.buries_by_place:
            self.ask(statements.bury_place(place, boot), done)
        else:
            self.ask(statements.lives(place, boot), then)

    # -- the lease -----------------------------------------------------------------------------

    @property
    def worker(self) -> int:
        """The number of the present life, as the database knows it."""
        return self.protocol.worker_id.int

    @property
    def is_committing(self) -> bool:
        """Whether it runs and has a commit under way."""
        return self.state is not ProcessState.DEAD and self.lane.busy

    def holds(self) -> bool:
        """What every room asks."""
        return self.protocol.term.holds_at(self.clock())

    def _next_id(self) -> WorkerId:
        return WorkerId(UUID(int=next(self._ids)))

    def _answer(self, outcome: Outcome) -> None:
        self._do(self.protocol.answer(outcome, now=self.clock()))

    def _answered(self, came: bool, answer: Any) -> None:
        done = Outcome.DONE if answer else Outcome.REFUSED
        self._answer(done if came else Outcome.FAILED)

    def _do(self, errand: Errand) -> None:
        match errand:
            case Wait():
                self.later(errand.until - self.clock(), self._answer, Outcome.DONE)
            case Register():
                self._register(errand.worker_id.int)
            case Begin():
                self.later(0.01 * self.world.chance.random(), self._begin)
            case Renew():
                self._renew(errand)
            case Bury():
                self.bury(
                    self.place,
                    self.boot,
                    lambda came, _: self._answer(Outcome.DONE if came else Outcome.FAILED),
                )
            case AbortRooms():
                self.abort_rooms()
                self._answer(Outcome.DONE)

    def _register(self, worker: int) -> None:
        asked = self.clock()

        def ended(came: bool, answer: Any) -> None:
            if came and answer:
                self.has_lived = True
                self.oracle.granted(self, worker, asked)
                self._answer(Outcome.DONE)
            elif self.has_lived:
                self._answer(Outcome.FAILED)
            else:  # a start that fails is the end of the process
                self.kill()

        def then(came: bool, _: Any) -> None:
            if came:
                row = statements.register(worker, self.place, self.boot, self.lease_seconds)
                self.ask(row, ended)
            else:
                ended(came, None)

        self.ask(self.variant.end_expired_at_place(self.place), then)

    def _begin(self) -> None:
        self.lane.end()
        self.lane = CommitLane(self, self.worker)
        self._answer(Outcome.DONE)

    def _renew(self, errand: Renew) -> None:
        worker = errand.worker_id.int
        asked = self.clock()

        def then(came: bool, answer: Any) -> None:
            if came and answer:
                self.oracle.granted(self, worker, asked)
            self._answered(came, answer)

        self.ask(self.variant.renew(worker, self.lease_seconds), then, within=errand.within_seconds)

    # -- rooms ---------------------------------------------------------------------------------

    def hear(self, operation: Operation) -> None:
        """A client's request arrives."""
        room = self.rooms.get(operation.object_id)
        if room is not None:
            room.hear(operation)
        elif operation.object_id in self._opening:
            waiting = self._opening[operation.object_id]
            if len(waiting) < 4:
                waiting.append(operation)
        elif self._refused.get(operation.object_id, 0.0) > self.world.now:
            pass
        elif self.protocol.standing is Standing.LIVE and self.holds():
            self._opening[operation.object_id] = [operation]
            self._claim(operation.object_id, self.worker, _CLAIM_TRIES)

    def forget(self, room: Room) -> None:
        """A room is over."""
        if self.rooms.get(room.object_id) is room:
            del self.rooms[room.object_id]
        self.oracle.closed(room)
        if not room.released and room.worker == self.worker and self.holds():
            # It was thrown away; the database must not send everybody here for it.
            self.ask(statements.release(room.worker, room.object_id, room.epoch), _ignore)
        if self._draining and not self.rooms:
            self._exit()

    def abort_rooms(self) -> None:
        """Throw every room away."""
        for room in list(self.rooms.values()):
            room.abort()

    def drain(self) -> None:
        """SIGTERM: give every room up, then go."""
        if self._draining:
            return
        self._draining = True
        self.protocol.leave()
        self.ask(statements.set_draining(self.worker), _ignore)
        self.later(_DRAIN_SECONDS, self._exit)
        for room in list(self.rooms.values()):
            room.leave()
        if not self.rooms:
            self._exit()

    def _exit(self) -> None:
        if self._exiting:
            return
        self._exiting = True
        self.abort_rooms()
        if self.protocol.close(now=self.clock()):
            self.ask(statements.retire(self.worker), lambda *_: self.kill())
        else:
            self.kill()

    def _claim(self, object_id: int, worker: int, tries: int) -> None:
        def then(came: bool, answer: Any) -> None:
            if came and not isinstance(answer, Claimed):
                self._claimed(object_id, worker, *answer)
            elif not came or not answer.live or (answer.held and not answer.expired):
                self._opening.pop(object_id, None)
                self._refused[object_id] = self.world.now + _REFUSED_SECONDS
            elif answer.epoch is not None:
                self._claimed(object_id, worker, answer, None)
            elif tries == 0:
                self._opening.pop(object_id, None)
            elif answer.held:
                self.ask(
                    self.variant.end_expired(answer.holder),
                    lambda *_: self._claim(object_id, worker, tries - 1),
                )
            else:
                self.later(_CLAIM_PAUSE, self._claim, object_id, worker, tries - 1)

        self.ask(self.variant.claim(worker, object_id), then)

    def _claimed(
        self, object_id: int, worker: int, claimed: Claimed, rows: dict[int, int] | None
    ) -> None:
        waiting = self._opening.pop(object_id, [])
        assert claimed.epoch is not None
        if self.protocol.standing is Standing.LEAVING:
            self.ask(statements.release(worker, object_id, claimed.epoch), _ignore)
        elif worker == self.worker and self.holds():
            room = Room(self, object_id, claimed.epoch, claimed.seq, waiting)
            self.rooms[object_id] = room
            room.load(rows)


def _ignore(_came: bool, _answer: Any) -> None:
    """Nobody waits for the end of this."""
