"""Quotas: how much one object may cost before what others ask of it is refused.

The options of a namespace go before the settings of the service; 0 means any amount.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """What an object may cost. None: any amount.

    Attributes:
        cpu_seconds_per_minute: How long it may keep its worker's thread busy.
        events_per_second: How many events may run, taken over ten seconds.
        bytes_per_second: How much may come in and go out together, taken over ten seconds.
    """

    cpu_seconds_per_minute: float | None = None
    events_per_second: float | None = None
    bytes_per_second: float | None = None

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self != NO_QUOTAS


NO_QUOTAS: Final = Quotas()

OPTIONS: Final = {f"quota_{field.name}": field.name for field in fields(Quotas)}
"""The options of a namespace, and which quota each sets."""


def with_options(quotas: Quotas, options: Mapping[str, str]) -> Quotas:
    """The quotas of a namespace: the service's, but for what its options say.

    Raises:
        ValueError: An option is no such amount; the text says which.
    """
    amounts = {field.name: getattr(quotas, field.name) for field in fields(Quotas)}
    for option, name in OPTIONS.items():
        if option in options:
            amounts[name] = _amount(option, options[option])
    return Quotas(**amounts)


def _amount(option: str, text: str) -> float | None:
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < float("inf"):
        problem = f"{option} is {text!r}, it must be a number, or 0 for any amount"
        raise ValueError(problem)
    return amount or None
