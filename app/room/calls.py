"""The calls of one room: those its object makes, and those it answers.

A call that the object makes is an output of the running unit: it leaves through the gate, in the
order in which it was made, and is undone with the unit. Awaiting one in the current event ends
the unit (a commit point) and notes that the event waits, which is what deadlocks are found by.
What is awaited by a task that does not belong to the current event leaves when that event ends.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..core.errors import CallDeadlock, CallRefused, RoomAborted, StateroomError
from ..core.ids import ObjectId
from ..core.limits import CALL_BYTES, CALL_SECONDS
from ..sdk.durable_object import DurableObject
from ..sdk.messages import Request, Response
from ..sdk.namespace import Namespace, check_class
from .admission import Origin
from .asking import Asking, Question
from .beside import Beside
from .call_result import CallResult
from .environment import RoomEnvironment
from .exchange import CallLane
from .hooks import finish
from .http_values import checked_response, problem_of_request
from .mailbox import Event
from .methods import bind_method, check_method, decode_result, encode_arguments, encode_result
from .outgoing import CallBody, EventTies, Fetch, OutgoingCall, Rpc, name_of, size_of
from .outputs import Depart
from .response_streams import ResponseStreams, collect
from .room_events import RoomEvents
from .standing import running_event
from .transaction_open import TransactionOpen
from .unit import RunningUnit

_OVER = "this instance of the object is over"


class Declined(NamedTuple):
    """The result of a call that could not be begun, which is no fault of the called object."""

    error: StateroomError


class RoomCalls:
    """See the module.

    Args:
        environment: Where calls go, and the bounds: a call's deadline is at most half of what an
            event may take, so that the event can still act on it.
        object_id: Whose calls.
        unit: What they are part of.
        events: Tells which event runs.
        asking: Queues the calls that come in.
        beside: Runs the answers that go on when their event is over.
    """

    __slots__ = (
        "_asking",
        "_events",
        "_exchange",
        "_instance",
        "_longest_seconds",
        "_open",
        "_unit",
        "clock",
        "object_id",
        "streams",
    )

    def __init__(
        self,
        environment: RoomEnvironment,
        object_id: ObjectId,
        unit: RunningUnit,
        events: RoomEvents,
        asking: Asking,
        beside: Beside,
    ) -> None:
        self.object_id = object_id
        self.clock = environment.clock
        self._exchange = environment.exchange
        self._unit = unit
        self._events = events
        self._asking = asking
        self._longest_seconds = environment.limits.event_timeout_seconds / 2
        self._open: dict[OutgoingCall, None] = {}
        self.streams = ResponseStreams(environment.tasks, environment.clock, unit, beside)
        self._instance = 0

    def __bool__(self) -> bool:
        """Whether any call or answer of the object's is under way."""
        return bool(self._open) or bool(self.streams)

    # -- calls that the object makes -----------------------------------------------------------

    def namespace(self, name: str, cls: type[Any] | None = None) -> Namespace:
        """See `sdk.Context.namespace`."""
        router = self._exchange.router
        check_class(name, router.class_of(name), cls)
        return Namespace(name, router.ids, self._route_to)

    def end_instance(self) -> None:
        """The instance is over, and with it what waits for its calls.

        What has left, or is only held back by the gate, goes its way.
        """
        self._instance += 1
        self.streams.end_instance()
        for call in list(self._open):
            call.fail(RoomAborted(_OVER))

    def stage(self, route: "RoomRoute", body: CallBody) -> "StagedCall":
        """Make a call part of the running unit.

        Raises:
            RoomAborted: The instance that the stub belongs to is over.
        """
        if route.instance != self._instance:
            raise RoomAborted(_OVER)
        call = OutgoingCall(
            call_id=self._exchange.router.new_id(),
            caller=self.object_id,
            target=route.target,
            body=body,
            seconds=route.seconds,
            clock=self.clock,
        )
        self._open[call] = None
        call.answer.add_done_callback(lambda _answer: self._open.pop(call, None))
        staged = StagedCall(self, call, route.lane)
        self._unit.stage(Depart(staged.depart, size_of(body)))
        return staged

    def current_event(self) -> Event | None:
        """The event that this code belongs to, if it is the one that runs now."""
        mine = running_event.get()
        return mine if mine is not None and mine is self._events.current else None

    def begin_waiting(self, staged: "StagedCall") -> Event | None:
        """Awaiting has begun: end the unit, and note that the event waits.

        Raises:
            CallDeadlock: The object calls itself.
            TransactionOpen: The unit cannot end inside a transaction.
        """
        call = staged.call
        event = self.current_event()
        if event is None:
            if self._unit.in_transaction and not self._events.running:
                problem = TransactionOpen("a call inside a transaction")
                staged.withdraw(CallRefused(str(problem)))
                raise problem
            return None
        if call.target == self.object_id and call.place is None:
            deadlock = CallDeadlock(ring=(name_of(self.object_id),))
            staged.withdraw(deadlock)
            raise deadlock
        if event.ties is None:
            event.ties = EventTies()
        event.ties.waits[call.id] = call
        self._exchange.router.waiting(call)
        try:
            self._unit.finish()
        except TransactionOpen as error:
            staged.withdraw(CallRefused(str(error)))
            self.end_waiting(event, staged)
            raise
        return event

    def end_waiting(self, event: Event, staged: "StagedCall") -> None:
        """It is awaited no more."""
        if event.ties is not None and event.ties.waits.pop(staged.call.id, None) is not None:
            self._exchange.router.waited(staged.call)

    def _route_to(self, target: ObjectId, seconds: float | None) -> "RoomRoute":
        router = self._exchange.router
        return RoomRoute(
            self,
            target=target,
            cls=router.class_of(target.namespace),
            lane=router.lane(target),
            seconds=min(CALL_SECONDS if seconds is None else seconds, self._longest_seconds),
            instance=self._instance,
        )

    # -- calls that the object answers ---------------------------------------------------------

    @property
    def waits(self) -> Mapping[str, OutgoingCall]:
        """The calls that the current event waits for."""
        current = self._events.current
        return current.ties.waits if current is not None and current.ties is not None else {}

    @property
    def answers(self) -> str | None:
        """The call that the current event answers."""
        current = self._events.current
        return current.ties.answers if current is not None and current.ties is not None else None

    def put(self, call_id: str, body: CallBody, ended: Callable[[Question], None]) -> Question:
        """Queue a call as an event; see `Asking.put`.

        The result is what `encode_result` gives, a Response, or Declined.
        """

        async def hook(instance: DurableObject) -> Any:
            current = self._events.current
            if current is not None:
                current.ties = current.ties or EventTies()
                current.ties.answers = call_id
            return await _serve(instance, body)

        return self._asking.put(hook, size_bytes=size_of(body), ended=ended, origin=Origin.REQUEST)


class RoomRoute:
    """See `sdk.StubRoute`: the calls of one stub of an object."""

    __slots__ = ("_calls", "_cls", "instance", "lane", "seconds", "target")

    def __init__(
        self,
        calls: RoomCalls,
        *,
        target: ObjectId,
        cls: type[Any],
        lane: CallLane,
        seconds: float,
        instance: int,
    ) -> None:
        self._calls = calls
        self.instance = instance
        self._cls = cls
        self.target = target
        self.lane = lane
        self.seconds = seconds

    def call(
        self, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Coroutine[Any, Any, Any]:
        """See `sdk.StubRoute.call`."""
        return self._calls.stage(self, rpc_body(self._cls, method, args, kwargs))

    def fetch(self, request: Request) -> Coroutine[Any, Any, Response]:
        """See `sdk.StubRoute.fetch`."""
        return self._calls.stage(self, fetch_body(request))


class StagedCall(CallResult):
    """A call that is part of a unit, and leaves with it."""

    __slots__ = ("_calls", "_lane", "_withdrawn", "call")

    def __init__(self, calls: RoomCalls, call: OutgoingCall, lane: CallLane) -> None:
        super().__init__()
        self.call = call
        self._calls = calls
        self._lane = lane
        self._withdrawn = False

    def depart(self) -> None:
        """It has passed the gate."""
        call = self.call
        if self._withdrawn or call.answer.cancelled():
            return
        call.begin_deadline()
        current = self._calls.waits
        if call.id in current:
            call.within = self._calls.answers
        self._lane.send(call)

    def withdraw(self, error: StateroomError) -> None:
        """It is never made, although its unit may end well."""
        self._withdrawn = True
        self.call.fail(error)

    async def _wait(self) -> Any:
        call = self.call
        if call.over:
            return result_of(call, await call.answer)
        call.awaited = True
        call.begin_deadline()
        event = self._calls.begin_waiting(self)
        try:
            return result_of(call, await call.answer)
        finally:
            if event is not None:
                self._calls.end_waiting(event, self)


def rpc_body(
    cls: type[Any], method: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> CallBody:
    """A call of a method as it travels.

    Raises:
        MethodUnknown: The class has no such method to be called.
        CallRefused: The arguments cannot travel.
    """
    check_method(cls, method)
    return Rpc(method, encode_arguments(method, args, kwargs))


def fetch_body(request: Request) -> CallBody:
    """A call of `on_request` as it travels.

    Raises:
        CallRefused: It is no Request, or too large.
    """
    if not isinstance(request, Request):
        raise CallRefused(f"fetch takes a Request, not {type(request).__name__}")
    problem = problem_of_request(request)
    if problem is not None:
        raise CallRefused(problem)
    if len(request.body) > CALL_BYTES:
        raise CallRefused(f"the body has {len(request.body)} bytes, the limit is {CALL_BYTES}")
    return Fetch(request)


def result_of(call: OutgoingCall, result: Any) -> Any:
    """What the caller gets: a copy of its own."""
    return decode_result(result) if isinstance(call.body, Rpc) else result


async def _collected(response: Response) -> Response:
    """A response as objects get it: whole, also if its body is a stream."""
    if isinstance(response.body, bytes | str):
        return response
    return replace(response, body=await collect(response.body, limit_bytes=CALL_BYTES))


async def _serve(instance: DurableObject, body: CallBody) -> Any:
    if isinstance(body, Fetch):
        return await _collected(checked_response(await finish(instance.on_request(body.request))))
    try:
        bound: Awaitable[Any] = bind_method(instance, body.method, body.arguments)
    except StateroomError as error:
        return Declined(error)
    return encode_result(body.method, await bound)
