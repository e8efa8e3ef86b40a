"""A collector of spans: what it was sent over OTLP, for a test to look at."""

import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collected(NamedTuple):
    """One span."""

    name: str
    trace: bytes
    id: bytes
    parent: bytes
    worker: str
    attributes: Mapping[str, str]
    links: Sequence[bytes]
    failed: bool


class SpanCollector:
    """See the module; a context manager around its server on loopback."""

    def __init__(self) -> None:
        self._spans: list[Collected] = []
        self.bodies = b""
        """All that came, for looking for what must not be there."""
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.take(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_words: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def variables(self) -> dict[str, str]:
        """What a server is told, to send its spans here soon."""
        return {
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self._server.server_port}",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }

    @property
    def spans(self) -> list[Collected]:
        """What has come by now."""
        return list(self._spans)

    def take(self, body: bytes) -> None:
        """Read what a server has sent."""
        self.bodies += body
        request = ExportTraceServiceRequest.FromString(body)
        for group in request.resource_spans:
            about = {each.key: each.value.string_value for each in group.resource.attributes}
            for scope in group.scope_spans:
                for span in scope.spans:
                    told = Collected(
                        span.name,
                        span.trace_id,
                        span.span_id,
                        span.parent_span_id,
                        about["service.instance.id"],
                        {each.key: each.value.string_value for each in span.attributes},
                        [link.span_id for link in span.links],
                        span.status.code == 2,
                    )
                    self._spans.append(told)
