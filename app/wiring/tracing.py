"""Whether spans are recorded, and by what."""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from ..core.errors import ConfigurationInvalid
from ..settings import Settings
from ..settings.tracing import TracesExporter
from .node import WorkerPlace

if TYPE_CHECKING:
    from ..telemetry.tracer import OpenTelemetryTracer


def tracer_of(
    settings: Settings, place: WorkerPlace, stack: AsyncExitStack
) -> "OpenTelemetryTracer | None":
    """The recorder of a worker's spans; None where there is none, which is the default.

    What waits is sent when `stack` is closed.

    Raises:
        ConfigurationInvalid: OpenTelemetry is not installed.
    """
    exporter = settings.traces_exporter
    if exporter is TracesExporter.NONE:
        return None
    try:
        from ..telemetry.tracer import tracer_of as make  # noqa: PLC0415 - only where it is wanted
    except ModuleNotFoundError as error:
        raise ConfigurationInvalid(
            f"OTEL_TRACES_EXPORTER={exporter}: {error.name} is not installed",
            remedy="Install stateroom[telemetry], or unset OTEL_TRACES_EXPORTER.",
        ) from error
    tracer = make(exporter, {"service.instance.id": f"{place.node}/{place.slot}"})
    stack.push_async_callback(tracer.close)
    return tracer


def traced(application: Any, tracer: "OpenTelemetryTracer | None") -> Any:
    """The ASGI application, with spans around its requests if anybody records them."""
    if tracer is None:
        return application
    from ..telemetry.requests import TracedApplication  # noqa: PLC0415 - as above

    return TracedApplication(application, tracer)
