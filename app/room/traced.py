"""Spans around the events of a room and the commits that follow them; made only where traces are.

An event is recorded from the moment it arrives; inside it its run, once it has its turn. A commit
carries what several events wrote: it is a step of the first and linked to the others.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final

from ..core.ids import ObjectId
from ..core.ports import BatchSource, Committer
from ..core.tracing import NO_ERROR, Span, SpanKind, Tracer, traceparent
from ..core.values import CommitOutcome, CommitResult, WriteBatch
from .admission import Origin
from .buffer import WriteBuffer
from .faults import as_fault

_LINKS: Final = 16
"""Of how many events a commit tells at most."""
_OBJECTS: Final = 10_000
"""Of how many objects it is known who wrote; the oldest is forgotten, for it may be gone."""

_NAMES: Final = {
    Origin.MESSAGE: "socket message",
    Origin.REQUEST: "object request",
    Origin.ROOM: "object event",
}


class RoomTracing:
    """What the rooms of a worker record. It is the `Committer` that their lanes get.

    Args:
        tracer: Records spans.
        committer: Commits.
    """

    def __init__(self, tracer: Tracer, committer: Committer) -> None:
        self.tracer = tracer
        self._committer = committer
        self._writers: dict[ObjectId, list[str]] = {}

    def enqueue(self, source: BatchSource) -> None:
        """See `Committer.enqueue`."""
        self._committer.enqueue(_TracedSource(source, self, traceparent.get()))

    def wrote(self, object_id: ObjectId, parent: str) -> None:
        """An event has ended that may have written."""
        writers = self._writers.setdefault(object_id, [])
        if len(self._writers) > _OBJECTS:
            del self._writers[next(iter(self._writers))]
        if len(writers) < _LINKS and parent not in writers:
            writers.append(parent)

    def begin_commit(self, batch: WriteBatch, asker: str | None) -> Span:
        """A batch is about to be sent; who asked for it may be an event that has not ended."""
        writers = self._writers.pop(batch.object_id, [])
        if asker is not None and asker not in writers:
            writers.append(asker)
        return self.tracer.begin(
            "commit",
            SpanKind.CLIENT,
            {
                **attributes_of(batch.object_id),
                "db.system.name": "postgresql",
                "stateroom.rows": len(batch.entries),
                "stateroom.bytes": batch.size_bytes,
            },
            parent=writers[0] if writers else None,
            links=writers[1:],
        )


class _TracedSource:
    """A room as the committer sees it, with a span from the batch to its outcome."""

    __slots__ = ("_asker", "_source", "_span", "_tracing")

    def __init__(self, source: BatchSource, tracing: RoomTracing, asker: str | None) -> None:
        self._asker = asker
        self._source = source
        self._tracing = tracing
        self._span: Span | None = None

    def take_batch(self) -> WriteBatch | None:
        """See `BatchSource.take_batch`."""
        batch = self._source.take_batch()
        if batch is not None:
            self._span = self._tracing.begin_commit(batch, self._asker)
        return batch

    def settle(self, outcome: CommitOutcome) -> None:
        """See `BatchSource.settle`."""
        if self._span is not None:
            committed = outcome.result is CommitResult.COMMITTED
            self._span.end(NO_ERROR if committed else outcome.result.name.lower())
        self._source.settle(outcome)


class TracedEvents:
    """Queues the events of a room, in the place of `Admission.submit`.

    Args:
        submit: Queues them.
        tracing: The worker's.
        object_id: Whose they are.
        buffer: Knows whether the event that runs has written.
    """

    def __init__(
        self,
        submit: Callable[..., None],
        tracing: RoomTracing,
        object_id: ObjectId,
        buffer: WriteBuffer,
    ) -> None:
        self._submit = submit
        self._tracing = tracing
        self._object_id = object_id
        self._buffer = buffer
        self._attributes = attributes_of(object_id)

    def submit(
        self,
        hook: Callable[[Any], Awaitable[Any] | Any],
        *,
        fail: Callable[[Exception], None],
        origin: Origin = Origin.ROOM,
        **how: Any,
    ) -> None:
        """See `Admission.submit`."""
        kind = SpanKind.SERVER if origin is not Origin.ROOM else SpanKind.INTERNAL
        arrived = self._tracing.tracer.begin(
            _NAMES[origin], kind, self._attributes, parent=traceparent.get()
        )

        def run(instance: Any) -> Awaitable[Any] | Any:
            return self._run(arrived, lambda: hook(instance))

        def failed(error: Exception) -> None:
            arrived.end(as_fault(error).code)
            fail(error)

        self._submit(run, fail=failed, origin=origin, **how)

    def _run(self, arrived: Span, hook: Callable[[], Any]) -> Awaitable[Any] | Any:
        span = self._tracing.tracer.begin(
            "event", SpanKind.INTERNAL, self._attributes, parent=arrived.traceparent
        )
        token = traceparent.set(span.traceparent)
        try:
            result = hook()
        except BaseException as error:
            span.end(_code_of(error))
            raise
        finally:
            traceparent.reset(token)
        if inspect.isawaitable(result):
            return self._await(arrived, span, result)
        self._ended(arrived, span)
        return result

    async def _await(self, arrived: Span, span: Span, result: Awaitable[Any]) -> Any:
        token = traceparent.set(span.traceparent)
        try:
            value = await result
        except BaseException as error:
            span.end(_code_of(error))
            raise
        finally:
            traceparent.reset(token)
        self._ended(arrived, span)
        return value

    def _ended(self, arrived: Span, span: Span) -> None:
        if self._buffer.written:
            self._tracing.wrote(self._object_id, span.traceparent)
        span.end()
        arrived.end()


def traced(
    submit: Callable[..., None], tracing: RoomTracing, object_id: ObjectId, buffer: WriteBuffer
) -> Callable[..., None]:
    """The same way to queue events, with spans; see `TracedEvents`."""
    return TracedEvents(submit, tracing, object_id, buffer).submit


def attributes_of(object_id: ObjectId) -> dict[str, str]:
    """Whose a span is: the only names in it that users have made up."""
    return {
        "stateroom.namespace": object_id.namespace,
        "stateroom.object": object_id.name or str(object_id),
    }


def _code_of(error: BaseException) -> str:
    return as_fault(error).code if isinstance(error, Exception) else type(error).__name__
