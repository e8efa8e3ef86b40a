"""Calls between objects: how they reach a room here or over a link, and how they end.

This is the router that rooms send their objects' calls to, and what answers the calls of other
workers. Each call that has arrived at a room here is known until it has ended, which is what
probes ask for (`probes`).
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from ..core.clock import Clock
from ..core.errors import CallDeadlock, CallTimedOut, RoomAborted, StateroomError
from ..core.ids import ObjectId, ObjectIds
from ..core.tasks import TaskOwner
from ..room.asking import Question
from ..room.calls import Declined
from ..room.outgoing import CallBody, OutgoingCall, name_of
from ..room.room import Room
from .call_frames import (
    CallMeta,
    call_from,
    call_meta,
    copied,
    copied_result,
    result_from,
    result_meta,
    wait_of,
)
from .finder import OwnerFinder
from .lanes import LOOK_AGAIN, StubLane
from .link import Link
from .link_errors import NotBegun, told
from .link_service import ASK, LinkService, object_meta
from .probes import PROBE, Arrival, Prober
from .questions import answer_of, wrong_place
from .registry import RoomRegistry

RPC = "rpc"
_REFUSED_LANES = 10_000


class Calls:
    """See the module. It is the `CallRouter` of the rooms of this worker.

    Args:
        registry: The rooms of this worker.
        finder: Where other objects are.
        clock: For deadlines.
    """

    def __init__(self, registry: RoomRegistry, finder: OwnerFinder, *, clock: Clock) -> None:
        self.clock = clock
        self._registry = registry
        self._finder = finder
        self._tasks = TaskOwner("calls")
        self._prober = Prober(clock=clock, tasks=self._tasks)
        self._prefix = secrets.token_hex(8)
        self._numbers = count(1)
        self._doors: dict[str, asyncio.Future[None]] = {}
        self._refused: OrderedDict[str, None] = OrderedDict()
        registry.exchange.connect(self)

    def serve(self, service: LinkService) -> None:
        """Answer the calls and probes of other workers."""
        service.serve(RPC, self._answer, given_up=True)
        service.serve(PROBE, self._prober.answer)

    async def close(self) -> None:
        """Stop what is under way; its callers learn it from their own deadlines or links."""
        await self._tasks.close()

    # -- CallRouter ----------------------------------------------------------------------------

    @property
    def ids(self) -> ObjectIds:
        """See `CallRouter`."""
        return self._registry.ids

    def class_of(self, namespace: str) -> type[Any]:
        """See `CallRouter`."""
        return self._registry.namespaces.mount(namespace).cls

    def lane(self, target: ObjectId) -> StubLane:
        """See `CallRouter`."""
        return StubLane(
            lane_id=self.new_id(),
            target=target,
            registry=self._registry,
            finder=self._finder,
            hand_over=self,
            tasks=self._tasks,
        )

    def new_id(self) -> str:
        """See `CallRouter`."""
        return f"{self._prefix}-{next(self._numbers)}"

    def waiting(self, call: OutgoingCall) -> None:
        """See `CallRouter`."""
        self._prober.waiting(call)

    def waited(self, call: OutgoingCall) -> None:
        """See `CallRouter`."""
        self._prober.waited(call)

    # -- HandOver ------------------------------------------------------------------------------

    def to_room(self, lane: StubLane, call: OutgoingCall, room: Room) -> None:
        """See `HandOver`."""

        def ended(question: Question) -> None:
            try:
                result = question.answer.result()
                if isinstance(result, Declined):
                    raise result.error
                lane.resolved(call, copied_result(result))
            except StateroomError as error:
                if question.begun:
                    lane.failed(call, told(error, room.object_id))
                else:
                    lane.not_begun(call, told(wrong_place(error), None))

        about = CallMeta(call.id, lane.id, again=False, within=call.within, wait=wait_of(call))
        question = self._arrive(room, about, copied(call.body), ended)
        _when_given_up(call, lambda: None if question.begun else question.fail(CallTimedOut()))

    def to_link(self, lane: StubLane, call: OutgoingCall, link: Link, *, again: bool) -> None:
        """See `HandOver`."""
        meta, body = call_meta(call, lane.id, again=again)
        answer = link.post(object_meta(call.target) | meta | {ASK: RPC}, body)

        def ended(answered: "asyncio.Future[tuple[Mapping[str, Any], bytes]]") -> None:
            if answered.cancelled():
                lane.failed(call, CallTimedOut())  # it has failed already
                return
            error = answered.exception()
            if error is None:
                lane.resolved(call, result_from(call.body, *answered.result()))
            elif isinstance(error, NotBegun):
                lane.not_begun(call, told(error.error, None))
            elif isinstance(error, StateroomError):
                lane.failed(call, told(error, None))

        answer.add_done_callback(ended)
        _when_given_up(call, answer.cancel)

    # -- calls that arrive ---------------------------------------------------------------------

    def _arrive(
        self, room: Room, about: CallMeta, body: CallBody, ended: Callable[[Question], None]
    ) -> Question:
        """Queue a call in its room, and refuse it at once if it would wait for its own caller."""

        def over(question: Question) -> None:
            self._prober.gone(about.call)
            ended(question)

        question = room.calls.put(about.call, body, over)
        if question.answer.done():
            return question
        waits = room.calls.waits
        if about.call in waits:
            question.fail(CallDeadlock(ring=(name_of(room.object_id),)))
        elif about.within in waits and about.wait is not None:
            # The caller answers a call that the event here waits for: neither can go on.
            question.fail(CallDeadlock(ring=(about.wait.name, name_of(room.object_id))))
        else:
            self._prober.arrived(about.call, Arrival(room, question, about.wait))
        return question

    async def _answer(
        self, object_id: ObjectId, meta: Mapping[str, Any], body: bytes
    ) -> tuple[dict[str, Any], bytes]:
        """Serve a call of another worker."""
        about, content = call_from(meta, body)
        question = await self._let_in(object_id, about, content)
        try:
            result = await answer_of(question)
            if isinstance(result, Declined):
                raise result.error
            return result_meta(result)
        except StateroomError as error:
            if question.begun:
                raise told(error, object_id) from error
            raise self._refuse(about, wrong_place(error)) from error

    async def _let_in(self, object_id: ObjectId, about: CallMeta, body: CallBody) -> Question:
        """Queue a call behind those of its lane that arrived before it and still look for a room.

        Raises:
            NotBegun: It could not be queued.
        """
        lane = about.lane
        before = self._doors.get(lane)
        room = self._registry.at_hand(object_id) if before is None else None
        if room is not None:
            return self._queue(room, about, body)
        door = self._doors[lane] = asyncio.get_running_loop().create_future()
        try:
            if before is not None:
                await asyncio.wait([before])
            room = await self._registry.find(object_id)
            return self._queue(room, about, body)
        except StateroomError as error:
            raise self._refuse(about, error) from error
        finally:
            door.set_result(None)
            if self._doors.get(lane) is door:
                del self._doors[lane]

    def _queue(self, room: Room, about: CallMeta, body: CallBody) -> Question:
        if about.again:
            self._refused.pop(about.lane, None)
        elif about.lane in self._refused:
            raise NotBegun(RoomAborted("an earlier call of the same stub was refused"))
        return self._arrive(room, about, body, _nobody)

    def _refuse(self, about: CallMeta, error: StateroomError) -> NotBegun:
        """A call that had not begun goes back, and so do those of its lane that follow it."""
        if isinstance(error, LOOK_AGAIN):
            self._refused[about.lane] = None
            if len(self._refused) > _REFUSED_LANES:
                self._refused.popitem(last=False)
        return NotBegun(error)


def _when_given_up(call: OutgoingCall, withdraw: Callable[[], object]) -> None:
    """Withdraw a call for which somebody has waited in vain: it need not run any more.

    What nobody ever waited for has no such moment, and runs whenever its turn comes.
    """

    def over(answer: "asyncio.Future[Any]") -> None:
        if call.awaited and not answer.cancelled() and isinstance(answer.exception(), CallTimedOut):
            withdraw()

    call.answer.add_done_callback(over)


def _nobody(_question: Question) -> None:
    """A call of another worker is answered by the task that serves it."""
