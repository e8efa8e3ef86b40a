"""Messages of a socket whose object lives elsewhere: each is recorded where it comes in."""

from ..core.ids import ObjectId
from ..core.sockets import SocketSink
from ..core.tracing import SpanKind, Tracer, enclosed


class TracedSink:
    """A `SocketSink` with a span around each message, which the owner's spans are steps of.

    Args:
        sink: Takes the messages to the owner.
        tracer: Records the spans.
        object_id: Whose the socket is.
    """

    def __init__(self, sink: SocketSink, tracer: Tracer, object_id: ObjectId) -> None:
        self._sink = sink
        self._tracer = tracer
        self._attributes = {
            "stateroom.namespace": object_id.namespace,
            "stateroom.object": object_id.name or str(object_id),
        }

    def receive(self, message: str | bytes) -> None:
        """See `SocketSink.receive`."""
        span = self._tracer.begin(
            "socket message passed on", SpanKind.SERVER, self._attributes, parent=None
        )
        with enclosed(span.traceparent):
            self._sink.receive(message)
        span.end()

    def ended(self, code: int, reason: str, *, clean: bool) -> None:
        """See `SocketSink.ended`."""
        self._sink.ended(code, reason, clean=clean)
