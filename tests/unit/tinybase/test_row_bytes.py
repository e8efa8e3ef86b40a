import pytest

from app.sdk.json import dump_json
from app.tinybase.row_bytes import with_cell
from app.tinybase.stamps import EMPTY_ROW, Leaves, encode_row, merge_leaves
from tests.unit.tinybase.replicas import hlc

OLD, NEW, NEWER = hlc(1), hlc(2), hlc(3)


def way_around(cells: Leaves, cell_id: str, leaf: list[object], row_hlc: str) -> bytes:
    merge_leaves(cells, {cell_id: leaf}, None)
    return encode_row(cells, row_hlc)


@pytest.mark.parametrize("row_hlc", ["", OLD])
@pytest.mark.parametrize(
    "cells",
    [
        {},
        {"c": ["old", OLD]},
        {"c": ["other", NEW]},
        {"c": ["newer", NEWER]},
        {"c": ["without a stamp"]},
        {"c": [5]},
        {"c": [None, OLD], "d": [True, OLD]},
        {"b": [1.5, OLD], "c": [-7, OLD], "d": ["x", NEWER]},
        {"c": [5], "d": ["as if a st."]},
        {"c": ['x",'], "ab": ["a stamp"]},
        {"c": [5], "123456789": ["x", NEWER]},
        {"c": ['say "]', OLD], "d": ["x", NEWER]},
        {"c": [f'say ","{NEWER}"]', OLD], "d": ["x", NEWER]},
        {"c": ["ends in \\", OLD]},
        {"c": ["a, b], c", OLD]},
        {"c": [[1, NEWER], OLD]},
        {"c": [[["x", NEWER]], OLD]},
        {"c": [{"c": ["x", NEWER]}, OLD]},
        {"b": [{"c": ["x", NEWER]}, OLD]},
        {"b": [{"c": ["x", NEWER]}, OLD], "c": ["old", OLD]},
        {"b": ['"c":["', OLD]},
        {"b": ['{"c":["', OLD], "c": ["old", OLD]},
        {'b"c': ["x", NEWER]},
        {'b"c': ["x", NEWER], "c": ["old", OLD]},
        {',"c': ["x", NEWER], "c": ["old", OLD]},
        {"cc": ["x", NEWER], "xc": ["x", NEWER]},
        {"b": ["\ufffc", OLD], "é": ["é", OLD]},
        {"b": ["\ud800", OLD]},
    ],
)
def test_setting_a_cell_in_bytes_gives_what_decoding_and_encoding_gives(
    cells: Leaves, row_hlc: str
) -> None:
    leaf: list[object] = ["set", NEW]
    row = encode_row(cells, row_hlc)
    assert with_cell(row, "c", dump_json(leaf)) == way_around(cells, "c", leaf, row_hlc)


@pytest.mark.parametrize(
    ("cell_id", "cells"),
    [
        ("],", {"a": ["x,"], ":[k": [1, OLD]}),
        ("],", {"a": [["x,"], OLD], ":[k": [1, OLD]}),
        (",", {"a": [["x,", ":[y"], OLD]}),
        (":[1", {"a,": [1, OLD]}),
        ("", {'x"': [1, OLD], "y,": [2, OLD]}),
        ("", {"": ["", OLD], ",": ["", OLD]}),
    ],
)
def test_an_id_that_looks_like_what_stands_behind_a_text_is_not_found_there(
    cell_id: str, cells: Leaves
) -> None:
    leaf: list[object] = ["set", NEW]
    row = encode_row(cells, "")
    assert with_cell(row, cell_id, dump_json(leaf)) == way_around(cells, cell_id, leaf, "")


def test_a_row_that_stays_is_the_very_same() -> None:
    for value in ("x", "\\", 7):
        row = encode_row({"c": [value, NEW]}, "")
        assert with_cell(row, "c", dump_json(["set", NEW])) is row


def test_the_first_cell_fills_an_empty_row() -> None:
    leaf = dump_json(["set", NEW])
    assert with_cell(EMPTY_ROW, "é", leaf) == encode_row({"é": ["set", NEW]}, "")
