"""The setting of traces. A part of `model.Settings`."""

from enum import StrEnum

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from .sources import TRACES_EXPORTER_VARIABLES


class TracesExporter(StrEnum):
    """Where spans go."""

    NONE = "none"
    OTLP = "otlp"
    CONSOLE = "console"


class TracingSettings(BaseSettings):
    """See the module."""

    model_config = SettingsConfigDict(use_attribute_docstrings=True)

    traces_exporter: TracesExporter = Field(
        default=TracesExporter.NONE, validation_alias=AliasChoices(*TRACES_EXPORTER_VARIABLES)
    )
    """Where spans of requests, messages, events and commits go: `otlp` (over HTTP) or `console`;
    needs `stateroom[telemetry]`. All else is decided by OpenTelemetry's own variables, such as
    `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME` and `OTEL_TRACES_SAMPLER`."""
