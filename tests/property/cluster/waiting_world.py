"""Objects that call one another in a world of slow messages, with the whole truth known.

Each object runs one event at a time and keeps the calls that wait for it in order. What one
object sends another arrives in the order in which it was sent, but after any number of other
things have happened. The world notes from when to when each call was an edge (awaited by its
caller and not answered by its object), so that it can say of a refused call whether its ring has
ever been real.
"""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from app.cluster.deadlock import BRANCHES, Probe, Refusal, Sight, Wait, step


@dataclass(eq=False)
class Call:
    """One call, and when it was what."""

    id: str
    caller: int
    target: int
    depth: int
    awaited: bool = True
    begun: bool = False
    arrived_at: int | None = None
    ended_at: int | None = None

    @property
    def wait(self) -> Wait:
        return Wait(self.id, f"{self.caller:04}", f"o{self.caller}")


@dataclass(eq=False)
class Event:
    """What runs at an object: it answers a call or none, and makes calls a few times."""

    answers: Call | None
    rounds: int
    depth: int
    waits: dict[str, Call] = field(default_factory=dict)


class Object:
    """One object."""

    def __init__(self) -> None:
        self.queue: deque[Event] = deque()
        self.current: Event | None = None
        self.pending: dict[str, Call] = {}


Message = Call | Probe


class World:
    """See the module.

    Args:
        objects: How many there are.
        chance: Decides everything.
        impatience: How often a caller gives a call up, of a hundred steps.
    """

    def __init__(self, objects: int, chance: random.Random, *, impatience: int = 0) -> None:
        self.objects = [Object() for _ in range(objects)]
        self.refused: list[tuple[Call, tuple[Call, ...]]] = []
        self.rings: dict[frozenset[str], str] = {}
        self.probes = 0
        self.now = 0
        self._chance = chance
        self._impatience = impatience
        self._calls: dict[str, Call] = {}
        self._channels: dict[tuple[int, int], deque[Message]] = {}
        self._numbers = count(1)

    # -- what happens --------------------------------------------------------------------------

    def run(self, steps: int) -> None:
        """Let any things happen."""
        for _ in range(steps):
            self.now += 1
            if self._chance.randrange(4) == 0:
                self._start()
            elif self._chance.randrange(100) < self._impatience:
                self._give_up()
            else:
                self._go_on()

    def settle(self) -> None:
        """Let all that can still happen happen, but nothing new begin."""
        while self._go_on():
            self.now += 1

    @property
    def stuck(self) -> list[int]:
        """Objects whose event has not ended."""
        return [index for index, one in enumerate(self.objects) if one.current is not None]

    def was_real(self, ring: tuple[Call, ...]) -> bool:
        """Whether there was an instant at which every call of a ring was an edge."""
        starts = [call.arrived_at for call in ring]
        ends = [self.now if call.ended_at is None else call.ended_at for call in ring]
        if any(start is None for start in starts):
            return False
        return max(start for start in starts if start is not None) <= min(ends)

    def _start(self) -> None:
        event = Event(None, self._chance.randint(1, 2), depth=0)
        self._enter(self._chance.randrange(len(self.objects)), event)

    def _go_on(self) -> bool:
        lines = [key for key, line in self._channels.items() if line]
        ready: list[int | tuple[int, int]] = [*self._idle_events(), *lines]
        if not ready:
            return False
        chosen = self._chance.choice(ready)
        if isinstance(chosen, int):
            self._advance(chosen)
        else:
            self._deliver(*chosen)
        return True

    def _idle_events(self) -> Iterator[int]:
        for index, one in enumerate(self.objects):
            if one.current is not None and not one.current.waits:
                yield index

    def _advance(self, index: int) -> None:
        """The event of an object makes its next calls, or ends."""
        event = self.objects[index].current
        assert event is not None
        if event.rounds and event.depth < 5:
            event.rounds -= 1
            for _ in range(self._chance.choice((1, 1, 1, 2, 3))):
                self._call(index, event)
        else:
            self._end(index, event)

    def _call(self, index: int, event: Event) -> None:
        others = [other for other in range(len(self.objects)) if other != index]
        call = Call(f"c{next(self._numbers)}", index, self._chance.choice(others), event.depth + 1)
        self._calls[call.id] = call
        event.waits[call.id] = call
        self._send(index, call.target, call)

    def _end(self, index: int, event: Event) -> None:
        one = self.objects[index]
        if event.answers is not None:
            self._answer(event.answers)
        one.current = None
        self._next(index)

    def _next(self, index: int) -> None:
        one = self.objects[index]
        while one.current is None and one.queue:
            event = one.queue.popleft()
            if event.answers is not None:
                if event.answers.ended_at is not None and event.answers.id not in one.pending:
                    continue  # it was refused
                event.answers.begun = True
            one.current = event

    def _enter(self, index: int, event: Event) -> None:
        self.objects[index].queue.append(event)
        self._next(index)

    def _answer(self, call: Call) -> None:
        """An object has answered: the edge is gone, and the caller is told."""
        self.objects[call.target].pending.pop(call.id, None)
        self._no_edge(call)

    def _no_edge(self, call: Call) -> None:
        if call.ended_at is None:
            call.ended_at = self.now
        current = self.objects[call.caller].current
        if current is not None:
            current.waits.pop(call.id, None)

    def _give_up(self) -> None:
        """A caller waits no longer for one of its calls; the call itself goes its way."""
        waits = [
            call
            for one in self.objects
            if one.current is not None
            for call in one.current.waits.values()
        ]
        if waits:
            self._no_edge(self._chance.choice(waits))

    # -- what travels --------------------------------------------------------------------------

    def _send(self, source: int, target: int, message: Message) -> None:
        self._channels.setdefault((source, target), deque()).append(message)

    def _deliver(self, source: int, target: int) -> None:
        message = self._channels[source, target].popleft()
        if isinstance(message, Probe):
            self._probe(target, message)
            return
        one = self.objects[target]
        message.arrived_at = self.now
        one.pending[message.id] = message
        self._enter(target, Event(message, self._chance.randint(0, 2), message.depth))
        if one.current is not None and one.current.waits:
            self._probe(target, Probe.along(message.wait))

    def _probe(self, index: int, probe: Probe) -> None:
        self.probes += 1
        for move in step(probe, self._sight(index, probe.call)):
            if isinstance(move, Refusal):
                self._refuse(index, move, probe)
            else:
                self._send(index, self._calls[move.call].target, move)

    def _sight(self, index: int, call_id: str) -> Sight | None:
        one = self.objects[index]
        call = one.pending.get(call_id)
        if call is None or one.current is None:
            return None
        waits = one.current.waits
        follow = [each.wait for each in list(waits.values())[:BRANCHES]]
        return Sight(queued=not call.begun, waits=waits.keys(), follow=follow)

    def _refuse(self, index: int, refusal: Refusal, probe: Probe) -> None:
        call = self.objects[index].pending.get(refusal.call)
        ring = tuple(self._calls[hop.wait.call] for hop in probe.hops)
        assert call is not None
        assert not call.begun
        assert self.rings.setdefault(frozenset(each.id for each in ring), call.id) == call.id
        self.refused.append((call, ring))
        assert self.was_real(ring), [each.id for each in ring]
        self._answer(call)
