"""Judging a figure: against its goal, against the floor that must hold, or not at all.

A claim is one comparison in words and numbers. What was not measured is never met, and neither is
what was measured with faults.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Verdict(Enum):
    """How a claim came out; the value is what the report says."""

    GOAL = "goal met"
    FLOOR = "floor met"
    MISSED = "missed"
    ABSENT = "not measured"
    REPORTED = "reported"


_WORST_FIRST = (Verdict.MISSED, Verdict.ABSENT, Verdict.FLOOR, Verdict.GOAL, Verdict.REPORTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a number must not pass.

    Attributes:
        goal: The aim.
        floor: What must hold at least; the goal itself where the table of goals names no other.
        least: True: the number must be at least so much; False: at most.
        strict: True: equality is not enough ("below").
    """

    goal: float
    floor: float | None = None
    least: bool = False
    strict: bool = False

    def judge(self, value: float) -> Verdict:
        """Hold a number against both."""
        if self._holds(value, self.goal):
            return Verdict.GOAL
        if self.floor is not None and self._holds(value, self.floor):
            return Verdict.FLOOR
        return Verdict.MISSED

    def _holds(self, value: float, limit: float) -> bool:
        if self.least:
            return value > limit if self.strict else value >= limit
        return value < limit if self.strict else value <= limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One comparison.

    Attributes:
        text: What is compared with what.
        measured: Both numbers with their units, and what else belongs beside them.
        value: The number that is judged, None if it was not measured.
        unit: Of `value`; `x` is a ratio.
        bound: None for what is only told.
        faults: Why the measurement does not count, empty if it does.
    """

    text: str
    measured: str
    value: float | None
    unit: str = "x"
    bound: Bound | None = None
    faults: str = ""

    @property
    def verdict(self) -> Verdict:
        """How it came out."""
        if self.value is None:
            return Verdict.ABSENT
        if self.bound is None:
            return Verdict.REPORTED
        return Verdict.MISSED if self.faults else self.bound.judge(self.value)


def worst(claims: Iterable[Claim]) -> Verdict:
    """Return the verdict of a row: that of its weakest claim; told figures decide nothing."""
    seen = {claim.verdict for claim in claims}
    return next((verdict for verdict in _WORST_FIRST if verdict in seen), Verdict.ABSENT)
