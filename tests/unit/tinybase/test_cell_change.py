from typing import Any

import pytest

from app.tinybase.cell_change import cell_change
from app.tinybase.layout import CHUNK_BYTES, KEY_BYTES
from tests.unit.tinybase.replicas import NOW, cells, filled, hlc, replica, values

STAMP = hlc(1)


def frame(value: str, *, table: str = '"pets"', request: str = '"T"', stamp: str = STAMP) -> str:
    return f'\n[{request},3,[[{{{table}:[{{"fido":[{{"age":[{value},"{stamp}"]}}]}}]}}],[{{}}],1]]'


@pytest.mark.parametrize(
    "value",
    [
        *('"dog"', '""', '"é ☃ \U0001f436"', '"\ufffc"', "true", "false", "null"),
        *("0", "7", "-7", "123456789012345", "1.5", "-0.25", "123456789.125"),
    ],
)
def test_a_frame_that_sets_one_cell_is_taken_apart(value: str) -> None:
    leaf = f'[{value},"{STAMP}"]'
    assert cell_change(frame(value)) == ("pets", "fido", "age", leaf, STAMP)
    assert cell_change(frame(value, request="null")) is not None


@pytest.mark.parametrize(
    "text",
    [
        *map(frame, ("-0", "1.0", "1.50", "0.05", "1e3", "1234567890123456", "01", "1.", "NaN")),
        *map(frame, ('"a\\n"', '"\n"', '"\ud800"', "[1]", "{}", '"dog" ', 'x"dog"', '"a"b"')),
        frame("1", stamp=""),
        frame("1", stamp=STAMP[1:]),
        frame("1", table='"\\u0061"'),
        frame("1", table='"\ufffc"'),
        frame("1", request='"\ufffc"'),
        frame("1", request="1"),
        "S" + frame("1"),
        frame("1")[1:],
        frame("1") + "\n",
        frame("1") + " ",
        frame("1").replace(",3,", ",2,"),
        frame("1").replace("[{}]", '[{},""]'),
        frame("1").replace(",1]]", "]]"),
        frame("1").replace(",1]]", ",true]]"),
        frame("1").replace("]}],[{}]", f']}}],"{STAMP}"],[{{}}]'),
    ],
)
def test_anything_else_is_left_to_the_parser(text: str) -> None:
    assert cell_change(text) is None


def both_ways(text_of: list[str], bodies: list[Any]) -> None:
    """The entries of the short way are those of the long way, change by change."""
    short, long = replica(), replica()
    for text, body in zip(text_of, bodies, strict=True):
        change, applied = cell_change(text), long.apply(body, NOW)
        assert change is not None
        assert applied is not None
        assert list(short.set_cell(change, NOW)) == list(applied.entries)


def test_a_row_that_becomes_too_large_for_one_key_and_small_again_leaves_no_piece_behind() -> None:
    sizes = [10, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 10]
    stamps = [hlc(number) for number in range(len(sizes))]
    texts = [
        frame(f'"{"x" * size}"', stamp=stamp) for size, stamp in zip(sizes, stamps, strict=True)
    ]
    bodies = [
        cells("pets", "fido", {"age": ["x" * size, stamp]})
        for size, stamp in zip(sizes, stamps, strict=True)
    ]
    both_ways(texts, bodies)


@pytest.mark.parametrize("table", ["x" * 2 * KEY_BYTES, "é", "x" * (KEY_BYTES - 11)])
def test_long_and_foreign_ids_have_the_keys_that_they_always_have(table: str) -> None:
    both_ways([frame("1", table=f'"{table}"')], [cells(table, "fido", {"age": [1, STAMP]})])


def test_a_stamp_from_too_far_in_the_future_changes_nothing() -> None:
    change = cell_change(frame("1", stamp=hlc(300_001)))
    made = filled(values({"open": [True, STAMP]}))
    before = made.content_hashes()
    assert change is not None
    assert list(made.set_cell(change, NOW)) == []
    assert made.content_hashes() == before
    assert list(made.set_cell(change, NOW + 1)) != []


def test_the_clock_hears_of_stamps_that_win_and_of_no_others() -> None:
    made = filled(cells("pets", "fido", {"age": [1, hlc(2)]}))
    earlier, later = cell_change(frame("2")), cell_change(frame("3", stamp=hlc(9, 4)))
    assert earlier is not None
    assert later is not None
    made.set_cell(earlier, NOW)
    assert made.clock.state == (NOW + 2, 0)
    made.set_cell(later, NOW)
    assert made.clock.state == (NOW + 9, 4)
    assert made.largest_row == len(made.tables["pets"].rows["fido"])
