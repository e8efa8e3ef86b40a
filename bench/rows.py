"""What a measurement beside the load tests hands to the report: figures with a name and a unit.

`python -m bench.performance` calls `measure(rounds, tick)` of the modules that it lists
(`bench.extras`) and judges the figures by their names. A module that can also be run by itself
prints the same figures.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Better(Enum):
    """Which way a figure should go."""

    LOWER = "lower"
    HIGHER = "higher"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of a measurement, the median of its rounds.

    Attributes:
        name: What it is, in words that stay: the report finds it by them.
        value: In `unit`.
        unit: Such as `us`, `ms`, `s`, `bytes`, `x` (a ratio), `messages/s`.
        better: Which way it should go.
        note: What a reader must know besides, such as the scatter or how many were measured.
    """

    name: str
    value: float
    unit: str
    better: Better = Better.LOWER
    note: str = ""


Tick = Callable[[str], None]
"""Called with what is done now, at each step: it moves the progress bar."""

Measure = Callable[[int, Tick], Coroutine[Any, Any, list[Figure]]]
"""`async def measure(rounds, tick)`: measure so many rounds and return the medians.

It starts what it needs in processes of its own, ends them whatever happens, and raises when a
measurement did not go as it should (RuntimeError with the reason): the row then says so. With
`rounds=1` it should take seconds.
"""
