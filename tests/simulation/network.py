"""The way from a process to the database and back: slow, lossy, and it may deliver late.

Each call ends once for the caller: with the answer or with a failure, which says nothing about
what happened to the statement. A statement may arrive after its caller has given up, and a copy
of it later still: bytes wait in sockets and poolers, and networks heal.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.simulation.database import Database
from tests.simulation.statements import Make
from tests.simulation.swarm import CALM, Swarm
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.process import Process

Done = Callable[[bool, Any], None]
"""Told once: whether there was an answer, and the answer."""

_TRIP_SECONDS = 0.002
_LATE_SECONDS = 1.0
_NOTICED_SECONDS = 0.2
_LONGEST_LATE_SECONDS = 10.0


class Call:
    """One statement, from the caller's side."""

    __slots__ = ("done", "open")

    def __init__(self, done: Done) -> None:
        self.done = done
        self.open = True

    def answered(self, answer: Any) -> None:
        if self.open:
            self.open = False
            self.done(True, answer)  # noqa: FBT003 - the two outcomes of a call

    def failed(self) -> None:
        if self.open:
            self.open = False
            self.done(False, None)  # noqa: FBT003 - likewise


class Network:
    """One node's way to the database.

    Args:
        world: Time and chance.
        database: The other end.
    """

    def __init__(self, world: World, database: Database) -> None:
        self.world = world
        self.database = database
        self.swarm: Swarm = CALM
        self.requests_cut_until = 0.0
        self.answers_cut_until = 0.0
        self._calls: dict[Call, tuple[Process, int]] = {}

    def send(
        self, process: "Process", make: Make, done: Done, *, within: float | None = None
    ) -> None:
        """Run a statement for a process; `done` is called in the process, unless it is gone.

        Args:
            process: Who asks.
            make: The statement.
            done: Told the end.
            within: How long the caller waits, by its own clock.
        """
        world, chance = self.world, self.world.chance
        call = Call(done)
        life = process.life

        def answer(came: bool, value: Any) -> None:
            self._answer(process, life, call, came, value)

        trip = _TRIP_SECONDS * (0.5 + chance.random())
        if within is not None:
            world.after(within / process.rate, process.deliver, life, call.failed)
        if world.now < self.requests_cut_until:
            self._give_up(process, life, call)
            if chance.random() < 0.5:
                heals = self.requests_cut_until - world.now
                world.after(heals + trip, self.database.arrive, make, answer)
            return
        odds = self.swarm.odds
        if chance.random() < odds["copied_request"]:
            world.after(self._late(), self.database.arrive, make, None)
        drawn = chance.random()
        if drawn < odds["lost_request"]:
            self._give_up(process, life, call)
        elif drawn < odds["lost_request"] + odds["late_request"]:
            self._give_up(process, life, call)
            world.after(self._late(), self.database.arrive, make, answer)
        else:
            self._calls[call] = (process, life)
            world.after(trip, self.database.arrive, make, answer)
            if drawn > 1 - odds["lost_answer"]:
                del self._calls[call]
                self._give_up(process, life, call)

    def reset(self) -> None:
        """Break every connection: whoever waits for an answer waits in vain."""
        calls, self._calls = self._calls, {}
        for call, (process, life) in calls.items():
            self.world.after(0.0, process.deliver, life, call.failed)

    def _answer(self, process: "Process", life: int, call: Call, came: bool, value: Any) -> None:
        self._calls.pop(call, None)
        if not call.open:
            return
        cut = self.world.now < self.answers_cut_until
        if not came or cut:
            self._give_up(process, life, call, soon=not cut)
            return
        trip = _TRIP_SECONDS * (0.5 + self.world.chance.random())
        self.world.after(trip, process.deliver, life, call.answered, value)

    def _give_up(self, process: "Process", life: int, call: Call, *, soon: bool = False) -> None:
        """The caller notices after a while that nothing will come."""
        seconds = 0.0 if soon else self.world.chance.expovariate(1 / _NOTICED_SECONDS)
        self.world.after(_TRIP_SECONDS + seconds, process.deliver, life, call.failed)

    def _late(self) -> float:
        return min(self.world.chance.expovariate(1 / _LATE_SECONDS), _LONGEST_LATE_SECONDS)
