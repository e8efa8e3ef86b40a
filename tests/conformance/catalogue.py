"""The statements of the conformance list, read from the tests that show them.

A test of statement 31 is a function `test_031_...` in a file of this folder; the first line of its
docstring is the statement in our words, and a decorator of `verdicts` says where we differ. All of
it is read from the source, so that nothing has to be imported or run.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .verdicts import Outcome, Verdict

FOLDER: Final = Path(__file__).parent
LAST_NUMBER: Final = 266

_NAME: Final = re.compile(r"test_(\d+)_\w+")
_DECORATORS: Final = {"differs": Outcome.DIFFERS, "not_offered": Outcome.NOT_OFFERED}
_HOLDS: Final = Verdict(outcome=Outcome.HOLDS, reason="")


class CatalogueError(ValueError):
    """A conformance test does not follow the rules of this folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A letter of the list, with the numbers that stand under it."""

    letter: str
    title: str
    first: int
    last: int


SECTIONS: Final = tuple(
    Section(letter=letter, title=title, first=first, last=last)
    for letter, title, first, last in (
        ("A", "Ids, names and stubs", 1, 21),
        ("B", "One live instance, and how it begins", 22, 30),
        ("C", "Input gate", 31, 40),
        ("D", "Blocking concurrency", 41, 52),
        ("E", "Output gate", 53, 68),
        ("F", "Sync", 69, 74),
        ("G", "Storage: get, put, delete", 75, 91),
        ("H", "Storage: list", 92, 107),
        ("I", "Coalescing and atomicity", 108, 114),
        ("J", "Transactions", 115, 129),
        ("K", "Deleting everything", 130, 138),
        ("L", "Alarms", 139, 172),
        ("M", "WebSockets", 173, 212),
        ("N", "Lifecycle", 213, 224),
        ("O", "Calls and errors", 225, 236),
        ("P", "SQL storage", 237, 247),
        ("Q", "Recovery to a point in time", 248, 252),
        ("R", "Administration and metering", 253, 261),
        ("S", "Testing", 262, 266),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement, and the test that shows how we stand to it."""

    number: int
    text: str
    verdict: Verdict
    file: str
    test: str


def statements(folder: Path = FOLDER) -> list[Statement]:
    """Return the statements that have a test, by their numbers.

    Raises:
        CatalogueError: A test has no docstring, a number stands twice or is none of the list, or a
            reason is not written out where it is used.
    """
    found: dict[int, Statement] = {}
    for path in sorted(folder.glob("test_*.py")):
        for statement in _statements_of(path):
            if (earlier := found.get(statement.number)) is not None:
                message = f"{statement.number} stands twice: {earlier.file} and {statement.file}"
                raise CatalogueError(message)
            found[statement.number] = statement
    return [found[number] for number in sorted(found)]


def missing(found: list[Statement]) -> list[int]:
    """Return the numbers that have no test."""
    shown = {statement.number for statement in found}
    return [number for number in range(1, LAST_NUMBER + 1) if number not in shown]


def _statements_of(path: Path) -> Iterator[Statement]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if (match := _NAME.fullmatch(node.name)) is None:
            continue
        place = f"{path.name}: {node.name}"
        number = int(match[1])
        if len(match[1]) != len("000") or not 1 <= number <= LAST_NUMBER:
            raise CatalogueError(f"{place}: a number is three digits, 001 to {LAST_NUMBER}")
        docstring = ast.get_docstring(node)
        if not docstring:
            raise CatalogueError(f"{place}: the docstring has to say the statement")
        yield Statement(
            number=number,
            text=docstring.splitlines()[0],
            verdict=_verdict_of(node, place),
            file=path.name,
            test=node.name,
        )


def _verdict_of(node: ast.FunctionDef | ast.AsyncFunctionDef, place: str) -> Verdict:
    verdicts = [
        Verdict(outcome=_DECORATORS[decorator.func.id], reason=_reason_of(decorator, place))
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Name)
        and decorator.func.id in _DECORATORS
    ]
    if len(verdicts) > 1:
        raise CatalogueError(f"{place}: more than one verdict")
    return verdicts[0] if verdicts else _HOLDS


def _reason_of(decorator: ast.Call, place: str) -> str:
    match decorator.args:
        case [ast.Constant(value=str(reason))] if reason.strip() and not decorator.keywords:
            return reason
        case _:
            raise CatalogueError(f"{place}: a verdict has one argument, its reason in plain text")
