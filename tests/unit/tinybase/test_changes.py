from typing import Any

from app.sdk.json import dump_json, parse_json
from app.tinybase.changes import TableRows, changes_body, changes_in_pieces, rows_of, tables_stamp
from app.tinybase.stamps import encode_row
from tests.unit.tinybase.replicas import NOW, hlc, replica


def test_rows_go_in_as_they_are() -> None:
    odd = b'[ {"c":[1.0]} ]'
    assert tables_stamp([TableRows("t", "", [("r", odd)])]) == b'[{"t":[{"r":[ {"c":[1.0]} ]}]}]'


def test_ids_are_escaped_and_stamps_stand_behind() -> None:
    stamp = tables_stamp([TableRows('"\ud800', hlc(1), [("\n", b"[{}]")])], hlc(2))
    assert parse_json(stamp) == [{'"\ud800': [{"\n": [{}]}, hlc(1)]}, hlc(2)]


def test_nothing_is_an_empty_change() -> None:
    assert changes_body([], {}) == b"[[{}],[{}],1]"
    assert list(changes_in_pieces([], {})) == []
    assert list(changes_in_pieces([TableRows("t", "", [])], {})) == []


def test_leaves_become_rows() -> None:
    body = changes_body(rows_of({"t": {"r": {"c": [1, hlc(1)]}}}), {"v": [2]})
    assert parse_json(body) == [[{"t": [{"r": [{"c": [1, hlc(1)]}]}]}], [{"v": [2]}], 1]


def test_the_pieces_of_a_change_merge_to_the_whole() -> None:
    tables = [
        TableRows(
            f"t{table}",
            hlc(table) if table else "",
            [(f"r{row}", dump_json([{"c": ["x" * 40, hlc(row)]}])) for row in range(20)],
        )
        for table in range(4)
    ]
    values = {f"v{at}": ["y" * 40, hlc(at)] for at in range(30)}
    whole, parts = replica(), replica()
    whole.apply(parse_json(changes_body(tables, values)), NOW)
    pieces = list(changes_in_pieces(tables, values, 500))
    for piece in reversed(pieces):
        assert len(piece) < 700
        assert parts.apply(parse_json(piece), NOW) is not None
    assert parts.content_hashes() == whole.content_hashes()


def test_a_row_larger_than_a_piece_is_cut_between_its_cells() -> None:
    cells = {f"c{at}": ["x" * 100, hlc(at)] for at in range(10)}
    rows = [("r", dump_json([cells, hlc(50)]))]
    pieces = list(changes_in_pieces([TableRows("t", "", rows)], {}, 300))
    assert len(pieces) == 5
    merged = replica()
    for piece in pieces:
        merged.apply(parse_json(piece), NOW)
    assert parse_json(merged.tables["t"].rows["r"]) == [cells, hlc(50)]


def test_a_single_leaf_larger_than_a_piece_goes_alone() -> None:
    cells = {"a": [1, hlc(1)], "big": ["x" * 1000, hlc(2)], "b": [2, hlc(3)]}
    rows = [("r", dump_json([cells]))]
    pieces = list(changes_in_pieces([TableRows("t", "", rows)], {}, 100))
    assert [len(piece) > 1000 for piece in pieces] == [False, True, False]


def test_a_table_without_rows_still_tells_its_stamp() -> None:
    pieces = list(changes_in_pieces([TableRows("t", hlc(1), [])], {}))
    assert [parse_json(piece) for piece in pieces] == [[[{"t": [{}, hlc(1)]}], [{}], 1]]


def test_parts_of_one_large_row_never_share_a_piece() -> None:
    for count in range(500, 1_000, 20):
        cells: dict[str, list[Any]] = {f"{number}": [number] for number in range(count)}
        row = TableRows("t", "", [("r", encode_row(cells, ""))])
        found: dict[str, list[Any]] = {}
        for body in changes_in_pieces([row], {}, 5_000):
            found |= parse_json(body)[0][0]["t"][0]["r"][0]
        assert found == cells
