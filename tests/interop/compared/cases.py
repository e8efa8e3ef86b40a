"""What is asked of both servers: one case a statement of the conformance list.

A case drives one side and returns what it saw. It names its objects by its number, so that all
cases can run at once.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.interop.compared.sides import Side

Drive = Callable[[Side], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One statement, and what is done about it."""

    number: int
    drive: Drive


CASES: Final[dict[int, Case]] = {}


def case(number: int) -> Callable[[Drive], Drive]:
    """Register the case of a statement."""

    def register(drive: Drive) -> Drive:
        assert number not in CASES
        CASES[number] = Case(number=number, drive=drive)
        return drive

    return register
