"""Large content in short steps."""

import inspect
from types import FunctionType
from typing import Any

import pytest

from app.tinybase import bodies, former, stamps, table
from app.tinybase.clock import Clock
from app.tinybase.former import Former
from app.tinybase.large import let_go
from app.tinybase.replica import Replica
from app.tinybase.turns import ROWS_A_TURN, give_way

ROWS = 4 * (ROWS_A_TURN + 1)
HLC = "Nn1JUUm-----7JQY"


def changes(rows: int) -> list[Any]:
    cells = {f"r{n}": [{"c": [n, HLC]}] for n in range(rows)}
    return [[{"t": [cells]}], [{"v": [1, HLC]}], 1]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    taken: list[str] = []
    for module in (bodies, former, stamps, table):
        name = module.__name__.rpartition(".")[2]
        if name in interpreted():
            monkeypatch.setattr(module, "give_way", lambda name=name: taken.append(name))
    return taken


def interpreted() -> set[str]:
    """The modules that are not compiled in this tree: only those look a name up when they run."""
    return {
        module.__name__.rpartition(".")[2]
        for module in (bodies, former, stamps, table)
        if str(module.__file__).endswith(".py")
    }


def test_the_step_aside_itself_is_never_compiled() -> None:
    assert isinstance(give_way, FunctionType)
    assert inspect.getsourcefile(give_way) is not None


def test_whoever_goes_through_many_rows_steps_aside(steps: list[str]) -> None:
    replica, before = Replica(Clock("1234567")), Former()
    bodies.check_changes(changes(ROWS))
    stamps.newest_in_changes(changes(ROWS))
    replica.merge(changes(ROWS), before)
    replica.content_hashes()
    replica.entries_since(before)
    assert set(steps) == interpreted()
    assert steps.count("table") == (8 if "table" in interpreted() else 0)


def test_few_rows_are_one_step(steps: list[str]) -> None:
    replica, before = Replica(Clock("1234567")), Former()
    bodies.check_changes(changes(10))
    replica.merge(changes(10), before)
    replica.content_hashes()
    assert steps == []


def test_a_change_that_was_merged_may_be_let_go() -> None:
    replica, body = Replica(Clock("1234567")), changes(ROWS)
    replica.merge(body)
    hashes = replica.content_hashes()
    let_go(body)
    assert body == []
    assert replica.content_hashes() == hashes
    assert replica.values.leaves == {"v": [1, HLC]}
    assert replica.cells("t", "r7") == {"c": [7, HLC]}
