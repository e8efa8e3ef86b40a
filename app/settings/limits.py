"""The settings of how often clients may come. A part of `model.Settings`."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Rate = Annotated[int, Field(ge=0, le=1_000_000)]


class LimitSettings(BaseSettings):
    """See the module."""

    model_config = SettingsConfigDict(use_attribute_docstrings=True)

    address_connects_per_second: Rate = 100
    """How many WebSockets a client's address (an IPv6 /64) may ask each worker for in a second,
    and twenty times as many at once; more get 429. Loopback and `trusted_proxies` are not counted.
    0: any number."""
    subject_connects_per_second: Rate = 50
    """The same for who a credential names, from any address. 0: any number."""
    client_rooms_per_second: Rate = 50
    """How many rooms that a worker does not hold one client (by its subject, or else its address)
    may ask that worker for in a second, and twenty times as many at once. 0: any number."""
    namespace_rooms_per_second: Rate = 0
    """The same for all clients of one namespace together. 0: any number."""
