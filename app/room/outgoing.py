"""Calls on their way from a caller to an object, and what an event has to do with calls.

A call ends once: with a result, with an error, or because nobody waits for it any more. Its
deadline begins when it leaves or is first awaited, whichever is first.
"""

import asyncio
from typing import Any, NamedTuple

import structlog

from ..core.clock import Clock, Timer
from ..core.errors import CallTimedOut, StateroomError
from ..core.ids import ObjectId
from ..sdk.messages import Request


class Rpc(NamedTuple):
    """Run a method of the object; the arguments are encoded."""

    method: str
    arguments: bytes


class Fetch(NamedTuple):
    """Run `on_request` of the object."""

    request: Request


CallBody = Rpc | Fetch

_log = structlog.get_logger("stateroom.calls")


def name_of(object_id: ObjectId) -> str:
    """What people call an object."""
    return f"{object_id.namespace}/{object_id.name or object_id}"


def size_of(body: CallBody) -> int:
    """What a call weighs while it waits."""
    return len(body.arguments) if isinstance(body, Rpc) else len(body.request.body)


class OutgoingCall:
    """One call.

    Args:
        call_id: Its name in the cluster.
        caller: The calling object; None for a caller outside of objects.
        target: The called object.
        body: What is asked.
        seconds: The deadline.
        clock: For the deadline.

    Attributes:
        answer: The result, or the StateroomError that came instead.
        awaited: Whether somebody has begun to wait for the answer.
        within: The call that the waiting event itself answers, as known when this one left.
        place: Where it was handed over to, once it was.
        number: Which call of its stub it is.
    """

    __slots__ = (
        "_clock",
        "_seconds",
        "_timer",
        "answer",
        "awaited",
        "body",
        "caller",
        "id",
        "number",
        "place",
        "target",
        "within",
    )

    def __init__(
        self,
        *,
        call_id: str,
        caller: ObjectId | None,
        target: ObjectId,
        body: CallBody,
        seconds: float,
        clock: Clock,
    ) -> None:
        self.id = call_id
        self.caller = caller
        self.target = target
        self.body = body
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.awaited = False
        self.within: str | None = None
        self.place: object | None = None
        self.number = 0
        self._seconds = seconds
        self._clock = clock
        self._timer: Timer | None = None

    @property
    def over(self) -> bool:
        """Whether nobody waits for an answer any more."""
        return self.answer.done()

    def begin_deadline(self) -> None:
        """Let the time run, if it does not yet."""
        if self._timer is None and not self.over:
            self._timer = self._clock.call_later(self._seconds, self._time_out)

    def resolve(self, result: Any) -> None:
        """Give the result."""
        if not self.answer.done():
            self.answer.set_result(result)
        self._stop_deadline()

    def fail(self, error: StateroomError) -> None:
        """There will be no result. The log tells it when nobody waits."""
        if not self.answer.done():
            self.answer.set_exception(error)
            self.answer.exception()  # nobody needs to be told by the interpreter as well
            if not self.awaited:
                _log.info("call_failed_unheard", target=name_of(self.target), code=error.code)
        self._stop_deadline()

    def _time_out(self) -> None:
        name = name_of(self.target)
        self.fail(CallTimedOut(f"{name} did not answer within {self._seconds:g} seconds"))

    def _stop_deadline(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class EventTies:
    """What one event has to do with calls.

    Attributes:
        answers: The call that the event answers, once its code runs.
        waits: The calls that it waits for, by their ids.
    """

    __slots__ = ("answers", "waits")

    def __init__(self) -> None:
        self.answers: str | None = None
        self.waits: dict[str, OutgoingCall] = {}
