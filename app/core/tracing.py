"""Traces as the rest of the service sees them: what encloses a step, and who records spans.

What encloses a step is a `traceparent` (W3C Trace Context, level 1), a text that also travels
over links and HTTP. Where nobody records, nobody sets it. Attributes of spans are bounded and
never hold what clients sent; the name of an object is one of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum, auto
from typing import Final, Protocol

traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)
"""Of the span that encloses what runs now."""

NO_ERROR: Final = ""


class SpanKind(Enum):
    """How a span stands to its parent, in OpenTelemetry's terms."""

    SERVER = auto()
    CLIENT = auto()
    INTERNAL = auto()


class Span(Protocol):
    """One step that is recorded."""

    @property
    def traceparent(self) -> str:
        """What steps inside it are told."""
        ...

    def end(self, error: str = NO_ERROR) -> None:
        """The step is over, with the code of its error if it failed. The first end counts."""
        ...


class Tracer(Protocol):
    """Records spans. Nothing raises, and nothing waits for whoever they are sent to."""

    def begin(
        self,
        name: str,
        kind: SpanKind,
        attributes: Mapping[str, str | int],
        *,
        parent: str | None,
        links: Sequence[str] = (),
    ) -> Span:
        """Begin a span: a root where there is no parent, whose sampling its steps inherit."""
        ...


@contextmanager
def enclosed(parent: str | None) -> Iterator[None]:
    """Let what runs inside be a step of this span, which may be another worker's."""
    token = traceparent.set(parent)
    try:
        yield
    finally:
        traceparent.reset(token)
