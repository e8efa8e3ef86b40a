"""The settings of what objects cost. A part of `model.Settings`."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Amount = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class UsageSettings(BaseSettings):
    """See the module."""

    model_config = SettingsConfigDict(use_attribute_docstrings=True)

    usage_seconds: Annotated[float, Field(ge=1, le=86_400, allow_inf_nan=False)] = 30.0
    """How often a worker adds what its objects cost to the sums of the day. A worker that is
    killed loses what it had not added yet."""
    usage_days: Annotated[int, Field(ge=1, le=3_660)] = 7
    """For how many days, today among them, the sums of each object are kept."""
    quota_cpu_seconds_per_minute: Amount | None = None
    """How many seconds in a minute one object may keep its worker's thread busy, before what
    others ask of it is refused: sockets are closed with 1013, requests answered with 429. Unset:
    any. An option of the same name sets it for a namespace, as it does the next two; 0 is any."""
    quota_events_per_second: Amount | None = None
    """How many events of one object may run in a second, taken over ten. Unset: any number."""
    quota_bytes_per_second: Amount | None = None
    """How many bytes may come into and go out of one object in a second, taken over ten. Unset:
    any number."""
