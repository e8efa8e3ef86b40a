"""Probes on their way through this worker: the shell around `deadlock`.

Known here are the calls that have arrived at rooms of this worker, and those that events of its
rooms wait for. A probe is a few look-ups for each object it comes to; it enters no mailbox and
blocks no room. One is sent when a call arrives at an object whose event waits itself, and again
every second for what still waits then, so that one that was lost with a link costs a second.
"""

import asyncio
from collections.abc import Mapping
from itertools import islice
from typing import Any, NamedTuple

from ..core.clock import Clock
from ..core.errors import CallDeadlock, StateroomError
from ..core.ids import ObjectId
from ..core.tasks import TaskOwner
from ..room.asking import Question
from ..room.outgoing import OutgoingCall
from ..room.room import Room
from .call_frames import wait_of
from .deadlock import BRANCHES, Probe, Refusal, Sight, Wait, step
from .link import Link
from .link_service import ASK, object_meta

PROBE = "probe"

_STEPS = 512
"""How far one probe and what comes of it may go in one worker at once."""
_ON_LINKS = 1_000
"""How many probes may be on links at a time; what is over that is left to the next round."""
_ROUND_SECONDS = 1.0
_PER_ROUND = 256


class Arrival(NamedTuple):
    """A call that has arrived at a room here and has not ended."""

    room: Room
    question: Question
    wait: Wait | None


class Prober:
    """See the module.

    Args:
        clock: For the rounds.
        tasks: Owner of the rounds.
    """

    def __init__(self, *, clock: Clock, tasks: TaskOwner) -> None:
        self._clock = clock
        self._tasks = tasks
        self._arrivals: dict[str, Arrival] = {}
        self._awaited: dict[str, OutgoingCall] = {}
        self._on_links = 0
        self._going_round = False

    def arrived(self, call_id: str, arrival: Arrival) -> None:
        """A call stands in the mailbox of a room here."""
        self._arrivals[call_id] = arrival
        if arrival.wait is not None and arrival.room.calls.waits:
            self._walk(Probe.along(arrival.wait))

    def gone(self, call_id: str) -> None:
        """A call has ended."""
        self._arrivals.pop(call_id, None)

    def waiting(self, call: OutgoingCall) -> None:
        """The current event of a room here has begun to wait for a call."""
        self._awaited[call.id] = call
        self._follow(call)
        if not self._going_round:
            self._going_round = True
            self._tasks.start(self._rounds(), name="probes")

    def waited(self, call: OutgoingCall) -> None:
        """It waits no more."""
        self._awaited.pop(call.id, None)

    async def answer(
        self, object_id: ObjectId, meta: Mapping[str, Any], body: bytes
    ) -> tuple[dict[str, Any], bytes]:
        """Take a probe of another worker."""
        del object_id, body
        probe = Probe.from_json(meta.get("probe"))
        if probe is not None:
            self._walk(probe)
        return {}, b""

    def _follow(self, call: OutgoingCall) -> None:
        """Send a probe along a call, if it has arrived somewhere."""
        wait = wait_of(call)
        if call.place is not None and wait is not None:
            todo: list[Probe] = []
            self._forward(Probe.along(wait), todo)
            for probe in todo:
                self._walk(probe)

    def _walk(self, probe: Probe) -> None:
        """Go on with a probe that has arrived here, as far as it leads through this worker."""
        todo = [probe]
        for _ in range(_STEPS):
            if not todo:
                return
            here = todo.pop()
            for move in step(here, self._sight(here.call)):
                if isinstance(move, Refusal):
                    self._refuse(move)
                else:
                    self._forward(move, todo)

    def _sight(self, call_id: str) -> Sight | None:
        """What is seen at the room that a call has arrived at."""
        arrival = self._arrivals.get(call_id)
        if arrival is None:
            return None
        calls = arrival.room.calls
        if arrival.question.begun and calls.answers != call_id:
            return None  # it has run, and waits for nothing but its commit
        waits = calls.waits
        follow = [wait_of(call) for call in islice(waits.values(), BRANCHES)]
        return Sight(
            queued=not arrival.question.begun,
            waits=waits.keys(),
            follow=[wait for wait in follow if wait is not None],
        )

    def _forward(self, probe: Probe, todo: list[Probe]) -> None:
        """Let a probe go along a call that an event here waits for."""
        call = self._awaited.get(probe.call)
        if call is None or call.over:
            return
        if isinstance(call.place, Link):
            self._send(call.place, call.target, probe)
        elif call.place is not None:
            todo.append(probe)

    def _send(self, link: Link, target: ObjectId, probe: Probe) -> None:
        if self._on_links >= _ON_LINKS:
            return
        meta = object_meta(target) | {ASK: PROBE, "probe": probe.to_json()}
        try:
            answer = link.post(meta, b"")
        except StateroomError:  # the link is down, or full
            return
        self._on_links += 1
        answer.add_done_callback(self._taken)

    def _taken(self, answer: "asyncio.Future[Any]") -> None:
        self._on_links -= 1
        if not answer.cancelled():
            answer.exception()  # a probe that was lost is sent again in the next round

    def _refuse(self, refusal: Refusal) -> None:
        arrival = self._arrivals.get(refusal.call)
        if arrival is not None and not arrival.question.begun:
            arrival.question.fail(CallDeadlock(ring=refusal.ring))

    async def _rounds(self) -> None:
        """Send probes again for what still waits, as long as anything does."""
        try:
            while self._awaited:
                waiting = set(self._awaited)
                await self._clock.sleep(_ROUND_SECONDS)
                still = (call for name, call in self._awaited.items() if name in waiting)
                for call in list(islice(still, _PER_ROUND)):
                    self._follow(call)
        finally:
            self._going_round = False
