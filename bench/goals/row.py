"""One line of the table of goals: what it needs measured, and how that is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.verdicts import Claim

if TYPE_CHECKING:
    from bench.seen import Seen

Grid = Mapping[str, tuple[str, ...]]
"""Scenario -> the servers that are measured in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A case with a goal.

    Attributes:
        name: For the command line.
        case: What is measured, as in the table of goals.
        wanted: The goal, and in brackets the floor that must hold.
        judge: Turns what was measured into claims.
        cells: The load tests that it needs.
        extras: The other measurements that it needs, by their names in `bench.extras`.
        profiled: Server and scenario whose profile tells where the time goes when it is missed.
        decisions: The decision records that tell what was tried.
        reading: How to read the row, where that is not obvious.
    """

    name: str
    case: str
    wanted: str
    judge: Callable[[Seen], list[Claim]]
    cells: Grid = field(default_factory=dict)
    extras: tuple[str, ...] = ()
    profiled: tuple[str, str] | None = None
    decisions: tuple[int, ...] = ()
    reading: str = ""
