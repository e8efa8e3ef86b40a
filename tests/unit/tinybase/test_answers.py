from typing import Any

import pytest

from app.sdk.json import parse_json
from app.tinybase.answers import answer
from app.tinybase.bodies import GET_CELL_DIFF, GET_ROW_DIFF, GET_TABLE_DIFF, GET_VALUE_DIFF
from app.tinybase.content import export_content, get_tables, import_content
from app.tinybase.pull import cell_hashes, row_hashes
from app.tinybase.replica import Replica
from tests.unit.tinybase.replicas import NOW, cells, filled, hlc, replica, values
from tests.unit.tinybase.vectors import cases

CASES = cases("diffs")


def imported(content: list[Any]) -> Replica:
    made = replica()
    import_content(made, content, NOW)
    assert export_content(made) == content
    return made


def body(me: Replica, kind: int, theirs: dict[str, Any]) -> Any:
    return parse_json(answer(me, kind, theirs).body())


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_questions_and_answers_are_the_recorded_ones(case: dict[str, Any]) -> None:
    me, other = imported(case["me"]), imported(case["other"])
    assert list(me.content_hashes()) == case["contentHashes"]["me"]
    assert list(other.content_hashes()) == case["contentHashes"]["other"]

    assert other.table_hashes() == case["otherTableHashes"]
    table_diff = body(me, GET_TABLE_DIFF, other.table_hashes())
    assert table_diff == case["myTableDiff"]

    rows = row_hashes(other, table_diff[1])
    assert rows == case["otherRowHashes"]
    row_diff = body(me, GET_ROW_DIFF, rows)
    assert row_diff == case["myRowDiff"]

    each_cell = cell_hashes(other, row_diff[1])
    assert each_cell == case["otherCellHashes"]
    assert body(me, GET_CELL_DIFF, each_cell) == case["myCellDiff"]

    assert other.values.value_hashes() == case["otherValueHashes"]
    assert body(me, GET_VALUE_DIFF, case["otherValueHashes"]) == case["myValueDiff"]


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_odd_questions_get_the_recorded_answers(case: dict[str, Any]) -> None:
    me, probes = imported(case["me"]), case["probes"]
    assert body(me, GET_ROW_DIFF, {"nowhere": {"r": 1}}) == probes["unknownTable"]
    assert body(me, GET_ROW_DIFF, {}) == probes["emptyRowQuery"]
    assert body(me, GET_CELL_DIFF, {}) == probes["emptyCellQuery"]
    assert row_hashes(me, dict(me.table_hashes())) == probes["rowHashesForEqualTables"]
    all_visible: dict[str, Any] = {table_id: {} for table_id in get_tables(me)}
    assert body(me, GET_ROW_DIFF, all_visible) == probes["allRows"]


def test_containers_carry_their_stamps_where_the_protocol_says_so() -> None:
    me = filled([[{"t": [{"r": [{"c": [1]}, hlc(1)]}, hlc(2)]}, hlc(3)], [{"v": [1]}, hlc(4)], 1])
    row = [{"c": [1]}, hlc(1)]
    assert body(me, GET_TABLE_DIFF, {}) == [[{"t": [{"r": row}, hlc(2)]}, hlc(3)], {}]
    assert body(me, GET_ROW_DIFF, {"t": {}}) == [[{"t": [{"r": row}]}], {}]
    assert body(me, GET_CELL_DIFF, {"t": {"r": {}}}) == [
        {"t": [{"r": [{"c": [1, ""]}, hlc(1)]}, hlc(2)]},
        hlc(3),
    ]
    assert body(me, GET_VALUE_DIFF, {}) == [{"v": [1]}, hlc(4)]


def test_equal_hashes_written_as_floats_are_equal() -> None:
    me = filled(cells("t", "r", {"c": [1]}), values({"v": [1]}))
    floats = {"v": float(me.values.value_hashes()["v"])}
    assert body(me, GET_VALUE_DIFF, floats) == [{}]


def test_an_answer_is_of_the_moment_it_was_asked() -> None:
    me = filled(cells("t", "r", {"c": ["before", hlc(1)]}))
    given = answer(me, GET_TABLE_DIFF, {})
    me.apply(cells("t", "r", {"c": ["after", hlc(2)]}), NOW)
    me.apply(cells("t", "s", {"c": ["new", hlc(2)]}), NOW)
    assert parse_json(given.body())[0] == [{"t": [{"r": [{"c": ["before", hlc(1)]}]}]}]


def test_sent_in_pieces_nothing_is_missing_and_the_rest_is_small() -> None:
    changes = [cells("t", f"r{at}", {"c": ["x" * 50, hlc(at)]}) for at in range(100)]
    me = filled(*changes, cells("u", "r", {"c": [1, hlc(1)]}))
    given = answer(me, GET_TABLE_DIFF, {"u": 1})
    assert given.missing_bytes() > 5_000
    asker = replica()
    pieces = [b"".join(piece) for piece in given.pieces(1000)]
    assert len(pieces) > 5
    for piece in pieces:
        assert len(piece) < 1200
        assert asker.apply(parse_json(piece), NOW) is not None
    assert asker.tables["t"].hash() == me.tables["t"].hash()
    assert parse_json(given.without_missing().body()) == [[{}], {"u": me.tables["u"].hash()}]
