from copy import deepcopy
from typing import Any

import pytest

from app.tinybase.content import export_content, get_tables, get_values
from app.tinybase.former import Former
from app.tinybase.replica import Replica
from tests.unit.tinybase.replicas import NOW, Disk, cells, filled, hlc, replica, values
from tests.unit.tinybase.vectors import cases

CASES = cases("merge")
IDS = [case["name"] for case in CASES]
every_case = pytest.mark.parametrize("case", CASES, ids=IDS)


def apply(target: Replica, changes: list[Any], now: int, disk: Disk | None = None) -> None:
    applied = target.apply(deepcopy(changes), now)
    if applied is not None and disk is not None:
        disk.write(applied.entries)


@every_case
def test_merging_gives_the_recorded_hashes_after_each_change(case: dict[str, Any]) -> None:
    merged = replica()
    for changes, expected in zip(case["changes"], case["hashesAfterEach"], strict=True):
        apply(merged, changes, case["now"])
        assert list(merged.content_hashes()) == expected


@every_case
def test_merging_gives_the_recorded_content(case: dict[str, Any]) -> None:
    merged = replica()
    for changes in case["changes"]:
        apply(merged, changes, case["now"])
    assert export_content(merged) == case["result"]["content"]
    assert [get_tables(merged), get_values(merged)] == case["result"]["plain"]


@every_case
def test_hashes_asked_for_only_at_the_end_are_the_same(case: dict[str, Any]) -> None:
    merged = replica()
    for changes in case["changes"]:
        apply(merged, changes, case["now"])
    assert list(merged.content_hashes()) == case["result"]["hashes"]


@every_case
def test_a_replica_loaded_after_every_change_goes_on_alike(case: dict[str, Any]) -> None:
    disk = Disk()
    for changes, expected in zip(case["changes"], case["hashesAfterEach"], strict=True):
        apply(disk.loaded(), changes, case["now"], disk)
        assert list(disk.loaded().content_hashes()) == expected


@every_case
def test_what_was_stored_bit_by_bit_loads_as_the_same_content(case: dict[str, Any]) -> None:
    merged, disk = replica(), Disk()
    for changes in case["changes"]:
        apply(merged, changes, case["now"], disk)
    assert export_content(disk.loaded()) == case["result"]["content"]


@every_case
def test_storing_everything_at_once_loads_as_the_same_content(case: dict[str, Any]) -> None:
    merged, disk = replica(), Disk()
    for changes in case["changes"]:
        apply(merged, changes, case["now"])
    disk.write(merged.stored())
    assert export_content(disk.loaded()) == case["result"]["content"]


def test_a_change_that_loses_has_nothing_to_store() -> None:
    merged = filled(cells("t", "r", {"c": ["new", hlc(5)]}))
    applied = merged.apply(cells("t", "r", {"c": ["old", hlc(4)]}), NOW)
    assert applied is not None
    assert applied.entries == []


def test_a_newer_stamp_on_an_equal_value_is_stored() -> None:
    merged = filled(cells("t", "r", {"c": ["x", hlc(1)]}))
    applied = merged.apply(cells("t", "r", {"c": ["x", hlc(2)]}), NOW)
    assert applied is not None
    assert [key for key, _ in applied.entries] == ['~r"t","r"']


def test_a_tombstone_of_a_cell_never_seen_is_stored() -> None:
    applied = replica().apply(cells("t", "r", {"c": ["\ufffc", hlc(1)]}), NOW)
    assert applied is not None
    row = f'[{{"c":["\ufffc","{hlc(1)}"]}}]'
    assert applied.entries == [('~r"t","r"', row.encode())]


def test_only_the_touched_rows_and_values_are_stored() -> None:
    merged = filled(
        cells("t", "r", {"c": [1, hlc(1)]}), cells("t", "s", {"c": [1, hlc(1)]}), values({"v": [1]})
    )
    changes = cells("t", "s", {"d": [2, hlc(2)]})
    changes[1] = [{"w": [True, hlc(3)]}]
    applied = merged.apply(changes, NOW)
    assert applied is not None
    assert [key for key, _ in applied.entries] == ['~r"t","s"', '~v"w"']


def test_a_former_state_tells_which_leaves_have_won() -> None:
    merged = filled(cells("t", "r", {"a": [1, hlc(5)], "b": [1, hlc(1)]}))
    changes = cells("t", "r", {"a": [2, hlc(4)], "b": [2.0, hlc(2)]})
    changes[1] = [{"v": ["x"]}]
    former = Former()
    merged.apply(changes, NOW, former=former)
    merged.apply(cells("t", "r", {"a": [3, hlc(3)]}), NOW, former=former)
    assert merged.altered_since(former) == ({"t": {"r": {"b": [2, hlc(2)]}}}, {"v": ["x"]})


def test_what_is_put_back_is_as_if_it_had_never_been_altered() -> None:
    def made() -> Replica:
        return filled(
            cells("t", "r", {"a": [1, hlc(5)]}),
            values({"v": [1, hlc(1)]}),
            [[{"e": [{}]}], [{}], 1],
        )

    for hashed in (False, True):
        merged, former = made(), Former()
        merged.alter(cells("t", "r", {"a": [2, hlc(6)]}), former)
        merged.alter(cells("t", "s", {"a": [2, hlc(6)]}), former)
        merged.alter(cells("new", "r", {"a": [2, hlc(6)]}), former)
        merged.alter(cells("e", "r", {"a": [2, hlc(6)]}), former)
        merged.alter(values({"v": [2, hlc(6)], "w": [2, hlc(6)]}), former)
        merged.alter(cells("t", "r", {"a": [3, hlc(8)]}), former)
        merged.alter(values({"v": [3, hlc(8)]}), former)
        if hashed:
            merged.content_hashes()
        merged.restore(former)
        assert export_content(merged) == export_content(made())
        assert merged.stored() == made().stored()
        assert [table.weight for table in merged.tables.values()] == [
            table.weight for table in made().tables.values()
        ]
        later = cells("t", "s", {"a": [3, hlc(7)]})
        later[0][0]["e"] = [{}]
        later[1] = [{"w": [3, hlc(7)]}]
        once = made()
        for each in (merged, once):
            each.apply(later, NOW)
        assert export_content(merged) == export_content(once)


def test_a_stamp_from_the_future_keeps_the_whole_message_out_until_its_time_comes() -> None:
    changes = cells("t", "r", {"a": [1, hlc(0)], "b": [2, hlc(300_001)]})
    merged = replica()
    assert merged.apply(changes, NOW) is None
    assert merged.content_hashes() == (0, 0)
    assert merged.apply(changes, NOW + 1) is not None


def test_the_clock_follows_the_winners_and_the_containers_only() -> None:
    merged = filled(cells("t", "r", {"c": ["x", hlc(9)]}))
    assert merged.clock.state == (NOW + 9, 0)
    merged.apply(cells("t", "r", {"c": ["y", hlc(8, 5)]}), NOW)
    assert merged.clock.state == (NOW + 9, 0)
    merged.apply([[{}, hlc(20, 3)], [{}], 1], NOW)
    assert merged.clock.state == (NOW + 20, 3)


@pytest.mark.parametrize(
    "changes",
    [
        None,
        [],
        [[{}], [{}]],
        [[{}, "bad"], [{}], 1],
        [[{}], [{"v": [1, 5]}], 1],
        [[{}], [{"v": []}], 1],
        [[{}], [{"v": [1, "", "x"]}], 1],
        [[{"t": {}}], [{}], 1],
        [[{"t": [[]]}], [{}], 1],
        [[{"t": [{"r": [{"c": [1, "", float("inf")]}]}]}], [{}], 1],
    ],
)
def test_changes_of_another_shape_are_refused(changes: Any) -> None:
    merged = replica()
    assert merged.apply(changes, NOW) is None
    assert merged.content_hashes() == (0, 0)


def test_numbers_are_kept_in_one_form() -> None:
    one, two = replica(), replica()
    for merged, leaves in (
        (one, {"a": [5.0, ""], "b": [-0.0], "c": [2**53 + 1]}),
        (two, {"a": [5], "b": [0], "c": [float(2**53)]}),
    ):
        merged.apply(cells("t", "r", leaves), NOW)
    assert one.tables["t"].rows == two.tables["t"].rows
    assert one.content_hashes() == two.content_hashes()
