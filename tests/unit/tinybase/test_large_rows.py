"""A row that is too large for a message is cut between its cells, as it lies there."""

import pytest

from app.sdk.json import parse_json
from app.tinybase import changes
from app.tinybase.blocks import Blocks, rows_in
from app.tinybase.changes import TableRows, changes_in_pieces
from app.tinybase.stamps import Leaves, decode_row, encode_row
from tests.unit.tinybase.replicas import hlc, replica

STAMP = hlc(5)
VALUES = ["x", "", 'say "]},', "\\", '\\"', "é\ufffc", "]", ",", ':["', 0, -1.5, 1e21, True, None]


def cells(*more: object) -> Leaves:
    found: Leaves = {}
    for at, value in enumerate([*VALUES, *more]):
        found[f"c{at}"] = [value, STAMP]
        found[f'odd "{value}'] = [value]
    return found


def parts(row: bytes, piece_bytes: int) -> list[bytes]:
    return list(changes._row_parts(row, piece_bytes))


@pytest.mark.parametrize("row_hlc", ["", STAMP])
@pytest.mark.parametrize("piece_bytes", [1, 40, 100, 400])
@pytest.mark.parametrize("nested", [[], [[1, "]"]], [{"a": "},"}], [[["x"]], {}, "behind"]])
def test_its_parts_are_rows_of_its_cells(
    row_hlc: str, piece_bytes: int, nested: list[object]
) -> None:
    whole = cells(*nested)
    row = encode_row(whole, row_hlc)
    found: list[tuple[str, object]] = []
    for part in parts(row, piece_bytes):
        some, part_hlc = decode_row(part)
        assert part_hlc == row_hlc
        assert part == encode_row(some, row_hlc)
        assert len(some) == 1 or len(part) <= piece_bytes + len(b"[{}]") + len(STAMP) + 3
        found += some.items()
    assert found == list(whole.items())


def test_a_row_of_plain_cells_is_never_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    row = encode_row(cells(), STAMP)
    monkeypatch.setattr(changes, "decode_row", None)
    assert b"".join(parts(row, 1)).count(b"[{") == len(cells())


@pytest.mark.parametrize("row_id", ["r", 'odd ":{', "\\"])
def test_the_block_of_a_large_row_is_that_row(row_id: str) -> None:
    row = encode_row({f"c{at}": ["x" * 1_000, STAMP] for at in range(400)}, "")
    rows = {"before": b'[{"c":[1]}]', row_id: row, "behind": b'[{"c":[2]}]'}
    held = [rows_in(block) for block in Blocks().texts(rows)]
    assert [each for some in held for each in some] == list(rows.items())


def test_whoever_gets_the_pieces_has_the_row() -> None:
    row = encode_row(cells([1], {"a": []}), STAMP)
    told = replica()
    for body in changes_in_pieces([TableRows("t", "", [("r", row)])], {}, 50):
        told.merge(parse_json(body))
    assert told.tables["t"].rows["r"] == row
