"""Answers that an object goes on making when the event that gave them is over.

`on_request` returns a response whose body is an iterator; the event ends, and the iterator runs
beside the events that follow (`beside`). Each piece is an output of its step: it leaves
through the gate, after everything that was written before it. The iterator is asked for the next
one when the last was taken, or little is under way.

Whoever sends the body to the client gets a pipe. It is closed when the client is gone, and so is
the iterator then; it fails when the iterator raises or the instance is over, so that the client
sees the answer break off.
"""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

from ..core.clock import Clock
from ..core.errors import CallRefused, Overloaded, RoomAborted, StateroomError
from ..core.pipes import BytePipe
from ..core.tasks import TaskOwner
from ..core.workshop import breathe
from ..sdk.durable_object import DurableObject
from ..sdk.messages import Request, Response
from .beside import Beside
from .faults import InstanceAborted, as_fault
from .hooks import finish
from .http_values import BODILESS, checked_piece, checked_response
from .meter import Meter
from .outputs import Depart
from .unit import RunningUnit

_STREAMS: Final = 32_768
_UNWIND_SECONDS: Final = 5.0
"""How long an iterator may take to unwind when its instance is over."""


class ResponseStreams:
    """See the module.

    Args:
        tasks: Owner of the iterators' tasks.
        clock: For the time that they may take to unwind.
        unit: What their pieces are part of.
        beside: Runs them.
    """

    __slots__ = ("_beside", "_clock", "_open", "_tasks", "_unit")

    def __init__(
        self,
        tasks: TaskOwner,
        clock: Clock,
        unit: RunningUnit,
        beside: Beside,
    ) -> None:
        self._tasks = tasks
        self._clock = clock
        self._unit = unit
        self._beside = beside
        self._open: dict[asyncio.Task[None], _Stream] = {}

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._open)

    def answering(
        self, request: Request, meter: Meter
    ) -> Callable[[DurableObject], Awaitable[Response]]:
        """The event of a request: `on_request`, and the beginning of its answer.

        What is not streamed is counted here; pieces are when they leave.
        """

        async def hook(instance: DurableObject) -> Response:
            response = await self._begin(request, await finish(instance.on_request(request)))
            if isinstance(response.body, bytes | str):
                meter.bytes_out += len(response.body)
            return response

        return hook

    async def _begin(self, request: Request, response: Any) -> Response:
        """Take what `on_request` returned, in its event; returns what is sent.

        Raises:
            TypeError: It is no proper response.
            ValueError: It has no form in HTTP.
            Overloaded: There are too many streams.
        """
        checked = checked_response(response, bodiless=request.method == "HEAD")
        body = checked.body
        if isinstance(body, bytes | str):
            return checked
        if request.method == "HEAD" or checked.status in BODILESS:
            await _close(body)
            return replace(checked, body=b"")
        if len(self._open) >= _STREAMS:
            await _close(body)
            raise Overloaded(f"the object sends {len(self._open)} answers already")
        return replace(checked, body=self._start(body))

    def _start(self, body: AsyncIterable[bytes | str]) -> BytePipe:
        stream = _Stream(body, self._unit, self._beside)
        task = stream.task = self._tasks.start(stream.run(), name="answer")
        self._open[task] = stream
        task.add_done_callback(lambda ended: self._open.pop(ended, None))
        return stream.pipe

    def end_instance(self) -> None:
        """The instance is over, and with it what it was still saying."""
        for stream in list(self._open.values()):
            stream.end(RoomAborted("the instance that made this answer is over"))
            self._clock.call_later(_UNWIND_SECONDS, stream.cancel)


class _Stream:
    """One answer on its way.

    Attributes:
        task: What runs the iterator.
    """

    __slots__ = ("_beside", "_body", "_unit", "pipe", "task")

    task: "asyncio.Task[None]"

    def __init__(
        self,
        body: AsyncIterable[bytes | str],
        unit: RunningUnit,
        beside: Beside,
    ) -> None:
        self.pipe = BytePipe(left=self.cancel)
        self._body = body
        self._unit = unit
        self._beside = beside

    async def run(self) -> None:
        """Run the iterator to its end. Raises nothing of the author's."""
        try:
            await self._beside.run(self._pump(), failing=self._fail)
        except Exception as error:  # noqa: BLE001 - the author's code may raise anything
            self.pipe.fail(as_fault(error))
        except InstanceAborted:
            self.pipe.fail(RoomAborted(), at_once=True)
        except BaseException:
            self.pipe.fail(RoomAborted(), at_once=True)
            raise

    def cancel(self) -> None:
        """Let the iterator end early."""
        self.task.cancel()

    def end(self, error: StateroomError) -> None:
        """The instance is over."""
        self.pipe.fail(error, at_once=True)
        self.cancel()

    def _fail(self, error: Exception) -> None:
        self.pipe.fail(as_fault(error))

    async def _pump(self) -> None:
        """Bring the pieces to the gate; every one ends a step."""
        pipe = self.pipe
        iterator = aiter(self._body)
        try:
            async for piece in iterator:
                if pipe.over:
                    return
                ready = checked_piece(piece)
                self._unit.stage(Depart(partial(pipe.push, ready), len(ready)))
                await breathe()
                await pipe.has_room()
        finally:
            await _close(iterator)
        self._unit.stage(Depart(pipe.finish, 0))


async def collect(body: AsyncIterable[bytes | str], *, limit_bytes: int) -> bytes:
    """Read a body to its end, in the event that runs.

    Raises:
        CallRefused: It has more bytes than that.
    """
    iterator, pieces, size = aiter(body), [], 0
    try:
        async for piece in iterator:
            pieces.append(checked_piece(piece))
            size += len(pieces[-1])
            if size > limit_bytes:
                raise CallRefused(f"the body of the response has over {limit_bytes} bytes")
    finally:
        await _close(iterator)
    return b"".join(pieces)


async def _close(body: object) -> None:
    """Let an iterator clean up, if it can."""
    aclose = getattr(body, "aclose", None)
    if aclose is not None:
        await aclose()
