from typing import Any

import pytest

from app.sdk.json import parse_json
from app.tinybase.clock import Clock, writer_of
from app.tinybase.content import export_content, get_row, get_tables, get_values
from app.tinybase.edits import ClockBehind, Edits
from app.tinybase.replica import Replica
from tests.unit.tinybase.replicas import NOW, Disk, cells, filled, hlc, replica, values
from tests.unit.tinybase.vectors import cases

CASES = cases("local-ops")
NOTHING = [[{}], [{}], 1]
METHODS = {
    "setCell": "set_cell",
    "setPartialRow": "set_partial_row",
    "setRow": "set_row",
    "setTable": "set_table",
    "delCell": "del_cell",
    "delRow": "del_row",
    "delTable": "del_table",
    "setValue": "set_value",
    "setValues": "set_values",
    "delValue": "del_value",
    "delValues": "del_values",
}


def run(target: Replica, now: int, operation: list[Any]) -> Any:
    edits = Edits(target, now)
    name, *arguments = operation
    if name == "delCell":
        arguments = arguments[:3]
    getattr(edits, METHODS[name])(*arguments)
    body = edits.finish().body
    return NOTHING if body is None else parse_json(body)


@pytest.mark.parametrize("case", CASES, ids=[case["uniqueId"] for case in CASES])
def test_operations_broadcast_and_hash_as_in_tinybase(case: dict[str, Any]) -> None:
    edited = Replica(Clock(writer_of(case["uniqueId"])))
    for step in case["steps"]:
        assert run(edited, step["now"], step["op"]) == step["changes"]
        assert list(edited.content_hashes()) == step["hashes"]
    assert export_content(edited) == case["final"]["content"]


def test_setting_an_equal_value_alters_nothing() -> None:
    edited = filled(cells("t", "r", {"c": [1, hlc(1)]}), values({"v": ["\ufffd[1]", hlc(1)]}))
    edits = Edits(edited, NOW)
    edits.set_cell("t", "r", "c", 1.0)
    edits.set_value("v", [1])
    edits.del_cell("t", "r", "none")
    edits.del_row("t", "none")
    edits.del_table("none")
    edits.del_value("none")
    assert edits.finish().body is None
    assert edited.clock.state[0] == NOW + 1


def test_true_is_not_one() -> None:
    edited = filled(cells("t", "r", {"c": [1, hlc(0)]}))
    edits = Edits(edited, NOW)
    edits.set_cell("t", "r", "c", value=True)
    assert edits.finish().body is not None
    assert get_row(edited, "t", "r") == {"c": True}


def test_one_transaction_is_one_change_with_the_final_state_of_each_leaf() -> None:
    edited, peer, disk = replica(), replica(), Disk()
    edits = Edits(edited, NOW)
    edits.set_row("t", "r", {"a": 1, "b": {"x": [None]}})
    edits.set_cell("t", "r", "a", 2)
    edits.set_values({"v": "x", "w": 0.5})
    edits.del_value("w")
    done = edits.finish()
    assert done.body is not None
    peer.apply(parse_json(done.body), NOW)
    disk.write(done.entries)
    for other in (peer, disk.loaded()):
        assert other.content_hashes() == edited.content_hashes()
        assert get_tables(other) == {"t": {"r": {"a": 2, "b": {"x": [None]}}}}
        assert get_values(other) == {"v": "x"}


def test_default_content_never_overrides_what_was_written() -> None:
    edited = filled(cells("t", "r", {"a": ["written", hlc(1)], "b": ["\ufffc", hlc(1)]}))
    edits = Edits(edited, NOW)
    edits.set_default_content({"t": {"r": {"a": 1, "b": 2, "c": 3}}}, {"v": 4})
    done = edits.finish()
    assert parse_json(done.body or b"") == [[{"t": [{"r": [{"c": [3]}]}]}], [{"v": [4]}], 1]
    assert get_tables(edited) == {"t": {"r": {"a": "written", "c": 3}}}
    again = Edits(edited, NOW)
    again.set_default_content({"t": {"r": {"c": 3}}}, {"v": 4})
    assert again.finish().body is None


def test_setting_all_tables_deletes_the_others() -> None:
    edited = filled(cells("t", "r", {"a": [1, hlc(0)]}), cells("u", "r", {"a": [1, hlc(0)]}))
    edits = Edits(edited, NOW)
    edits.set_tables({"u": {"s": {"b": 2}}})
    assert get_tables(edited) == {"u": {"s": {"b": 2}}}
    edits.del_tables()
    assert get_tables(edited) == {}


def test_setting_an_empty_row_or_table_does_nothing() -> None:
    edited = filled(cells("t", "r", {"a": [1, hlc(0)]}))
    edits = Edits(edited, NOW)
    edits.set_row("t", "r", {})
    edits.set_table("t", {})
    edits.set_table("t", {"r": {}})
    edits.set_tables({})
    edits.set_tables({"t": {"r": {}}, "u": {}})
    edits.set_values({})
    assert edits.finish().body is None


def test_a_table_without_rows_is_none_of_those_that_are_to_be() -> None:
    edited = filled(cells("t", "r", {"a": [1, hlc(0)]}))
    edits = Edits(edited, NOW)
    edits.set_tables({"t": {"r": {}}, "u": {"r": {"a": 1}}})
    assert get_tables(edited) == {"u": {"r": {"a": 1}}}


def test_some_values_are_set_without_touching_the_others() -> None:
    edited = filled(values({"v": [1, hlc(0)]}))
    edits = Edits(edited, NOW)
    edits.set_partial_values({"w": 2})
    assert get_values(edited) == {"v": 1, "w": 2}


@pytest.mark.parametrize(
    ("value", "error"),
    [("\ufffc", ValueError), (float("nan"), ValueError), (b"x", TypeError), ({1}, TypeError)],
)
def test_a_value_that_no_cell_can_hold_alters_nothing(
    value: object, error: type[Exception]
) -> None:
    edited = replica()
    edits = Edits(edited, NOW)
    with pytest.raises(error):
        edits.set_row("t", "r", {"good": 1, "bad": value})
    assert edits.finish().body is None


def test_an_edit_comes_after_a_stored_stamp_that_the_clock_has_not_seen() -> None:
    disk = Disk()
    disk.write(filled(cells("t", "r", {"c": ["old", hlc(1000)]})).stored())
    edited = disk.loaded()
    Edits(edited, NOW).set_cell("t", "r", "c", "new")
    assert get_row(edited, "t", "r") == {"c": "new"}
    assert edited.clock.state[0] == NOW + 1000


def test_a_stored_stamp_from_the_far_future_cannot_be_beaten() -> None:
    disk = Disk()
    disk.write(filled(cells("t", "r", {"c": ["old", hlc(300_000)]})).stored())
    with pytest.raises(ClockBehind):
        Edits(disk.loaded(), NOW - 1).set_cell("t", "r", "c", "new")
