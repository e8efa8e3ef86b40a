"""What a conformance test says of its statement, where that is not a plain 'as stated'.

Every statement of the list has one test, named by its number: `test_031_...`. The first line of
its docstring says the statement in our words. A test without a verdict proves the statement as it
is. One with a verdict proves what happens here instead: that the other rule holds, or that what is
not offered is refused or not there. `docs/generate_conformance.py` makes a page of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeVar

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

ATTRIBUTE: Final = "conformance_verdict"


class Outcome(Enum):
    """How we stand to a statement."""

    HOLDS = "pass"
    DIFFERS = "differs on purpose"
    NOT_OFFERED = "not offered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """An outcome, and why it is not a plain pass."""

    outcome: Outcome
    reason: str


def differs(reason: str) -> Callable[[FunctionT], FunctionT]:
    """Mark the test of a statement from which we differ on purpose."""
    return _marking(Verdict(outcome=Outcome.DIFFERS, reason=reason))


def not_offered(reason: str) -> Callable[[FunctionT], FunctionT]:
    """Mark the test of a statement about something that we do not have."""
    return _marking(Verdict(outcome=Outcome.NOT_OFFERED, reason=reason))


def _marking(verdict: Verdict) -> Callable[[FunctionT], FunctionT]:
    def mark(function: FunctionT) -> FunctionT:
        setattr(function, ATTRIBUTE, verdict)
        return function

    return mark
