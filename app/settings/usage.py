"""The settings of what objects cost. A part of `model.Settings`."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class UsageSettings(BaseSettings):
    """See the module."""

    model_config = SettingsConfigDict(use_attribute_docstrings=True)

    usage_seconds: Annotated[float, Field(ge=1, le=86_400, allow_inf_nan=False)] = 30.0
    """How often a worker adds what its objects cost to the sums of the day. A worker that is
    killed loses what it had not added yet."""
    usage_days: Annotated[int, Field(ge=1, le=3_660)] = 7
    """For how many days, today among them, the sums of each object are kept."""
