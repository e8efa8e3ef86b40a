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
    """One statement, and what is done about it.

    Attributes:
        waits: Whether most of it is waiting, so that it costs nothing beside others.
    """

    number: int
    drive: Drive
    waits: bool


CASES: Final[dict[int, Case]] = {}


def case(number: int, *, waits: bool = False) -> Callable[[Drive], Drive]:
    """Register the case of a statement."""

    def register(drive: Drive) -> Drive:
        assert number not in CASES
        CASES[number] = Case(number=number, drive=drive, waits=waits)
        return drive

    return register
