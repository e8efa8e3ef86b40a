"""The recorder of spans, made from OpenTelemetry's own variables (`OTEL_...`).

Its SDK reads them: sampler, exporter's address and headers, sizes of batches. What we decide is
that nothing is recorded unless `OTEL_TRACES_EXPORTER` names an exporter, and that the end of the
process waits for the last spans a few seconds at most.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace.propagation import set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ..core.tracing import NO_ERROR, Span, SpanKind

_HEADER: Final = "traceparent"
_FLUSH_SECONDS: Final = 3.0
_KINDS: Final = {
    SpanKind.SERVER: trace.SpanKind.SERVER,
    SpanKind.CLIENT: trace.SpanKind.CLIENT,
    SpanKind.INTERNAL: trace.SpanKind.INTERNAL,
}
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class RecordedSpan:
    """A `Span` of OpenTelemetry."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, set_span_in_context(span))
        self.traceparent = carrier.get(_HEADER, "")

    def end(self, error: str = NO_ERROR) -> None:
        """See `Span.end`."""
        if error and self._span.is_recording():
            self._span.set_attribute("error.type", error)
            self._span.set_status(trace.Status(trace.StatusCode.ERROR, error))
        if self._span.is_recording():
            self._span.end()


class OpenTelemetryTracer:
    """A `Tracer` of one worker.

    Args:
        exporter: Where spans go, in batches, by a thread of its own.
        attributes: Of everything that is recorded: who we are.
    """

    def __init__(self, exporter: SpanExporter, attributes: Mapping[str, str]) -> None:
        # What the variables say (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES) stands above ours.
        resource = Resource({SERVICE_NAME: "stateroom", **attributes}).merge(
            OTELResourceDetector().detect()
        )
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("stateroom")

    def begin(
        self,
        name: str,
        kind: SpanKind,
        attributes: Mapping[str, str | int],
        *,
        parent: str | None,
        links: Sequence[str] = (),
    ) -> Span:
        """See `Tracer.begin`."""
        context = _PROPAGATOR.extract({_HEADER: parent} if parent else {}, context=_NOWHERE)
        return RecordedSpan(
            self._tracer.start_span(
                name,
                context=context,
                kind=_KINDS[kind],
                attributes=dict(attributes),
                links=[trace.Link(context) for context in map(_context_of, links)],
            )
        )

    def flush(self) -> None:
        """Send what waits, within the deadline of the exporter; blocks the thread."""
        self._provider.force_flush(int(_FLUSH_SECONDS * 1000))

    async def close(self) -> None:
        """Send what waits, and stop; gives up after three seconds."""
        closing = asyncio.get_running_loop().run_in_executor(None, self._provider.shutdown)
        await asyncio.wait([closing], timeout=_FLUSH_SECONDS)


_NOWHERE: Final = trace.set_span_in_context(trace.INVALID_SPAN)


def tracer_of(exporter: str, attributes: Mapping[str, str]) -> OpenTelemetryTracer:
    """Make a tracer.

    Args:
        exporter: `otlp` (over HTTP, OTEL_EXPORTER_OTLP_...) or `console` (standard output).
        attributes: See `OpenTelemetryTracer`.
    """
    if exporter == "console":
        return OpenTelemetryTracer(ConsoleSpanExporter(), attributes)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - slow to import, and only where it is used
        OTLPSpanExporter,
    )

    return OpenTelemetryTracer(OTLPSpanExporter(), attributes)


def _context_of(parent: str) -> trace.SpanContext:
    found = _PROPAGATOR.extract({_HEADER: parent}, context=_NOWHERE)
    return trace.get_current_span(found).get_span_context()
