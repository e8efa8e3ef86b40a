from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.sdk.json import dump_json, parse_json
from app.tinybase.bodies import CONTENT_DIFF
from app.tinybase.cell_change import cell_change
from app.tinybase.content import export_content
from app.tinybase.refusals import Refusal
from app.tinybase.replica import Replica
from app.tinybase.row_bytes import with_cell
from app.tinybase.stamps import decode_row, encode_row, merge_leaves
from app.tinybase.wire import Fragment, Message, parse_frame
from tests.property.tinybase.strategies import (
    CHANGES,
    HLCS,
    IDS,
    JSON,
    NOW,
    ODD_TEXT,
    SCALARS,
    stamps,
    unhurried,
)
from tests.unit.tinybase.replicas import replica

AWKWARD = st.sampled_from(
    ['"c":[', ',"c":["', '"]', '],"', "\\", "{", "}]", ',"-', "[", "]}", "],", ":[", ",", "x,"]
)
TEXTS = st.lists(st.one_of(AWKWARD, ODD_TEXT, st.sampled_from("abc")), max_size=4).map("".join)
NAMES = st.one_of(IDS, TEXTS, st.just("c"))
NUMBERS = st.one_of(
    st.decimals(-(10**9), 10**9, places=4).map(float),
    st.decimals(-2, 2, places=3).map(float),
    st.integers(-9, 9),
)
PLAIN_VALUES = st.one_of(SCALARS, TEXTS, NUMBERS, st.just("\ufffc"))
LEAVES = stamps(st.one_of(PLAIN_VALUES, JSON)).filter(lambda leaf: len(leaf) == 1 or leaf[1])
ROWS = st.builds(
    encode_row,
    st.dictionaries(NAMES, st.one_of(LEAVES, st.tuples(TEXTS, HLCS).map(list)), max_size=4),
    st.one_of(st.just(""), HLCS),
)
CELLS = st.tuples(
    st.one_of(IDS, NAMES), NAMES, NAMES, st.one_of(PLAIN_VALUES, JSON), HLCS, st.none() | TEXTS
)


def frame_of(cell: tuple[Any, ...]) -> str:
    table_id, row_id, cell_id, value, hlc, request_id = cell
    body = [[{table_id: [{row_id: [{cell_id: [value, hlc]}]}]}], [{}], 1]
    return "\n" + dump_json([request_id, CONTENT_DIFF, body]).decode()


FRAMES = st.one_of(
    CELLS.map(frame_of),
    st.tuples(CELLS.map(frame_of), st.integers(0, 200), st.integers(0, 2), TEXTS).map(
        lambda drawn: drawn[0][: drawn[1]] + drawn[3] + drawn[0][drawn[1] + drawn[2] :]
    ),
    CHANGES.map(lambda body: "\n" + dump_json(["T", CONTENT_DIFF, body]).decode()),
)


def read(text: str) -> Message | Fragment | None:
    try:
        return parse_frame(text)
    except Refusal:
        return None


@unhurried
@given(FRAMES)
def test_a_frame_that_is_taken_apart_by_one_pattern_is_what_the_parser_finds(text: str) -> None:
    change = cell_change(text)
    if change is None:
        return
    message = read(text)
    assert isinstance(message, Message)
    table_id, row_id, cell_id, leaf, hlc = change
    stored = parse_json(leaf)
    assert message.body == [[{table_id: [{row_id: [{cell_id: stored}]}]}], [{}], 1]
    assert (message.address, message.kind, message.newest) == ("", CONTENT_DIFF, hlc)
    kept: dict[str, Any] = {}
    merge_leaves(kept, {cell_id: stored}, None)
    assert dump_json(kept[cell_id]).decode() == leaf
    assert dump_json([table_id, row_id]).decode() == f'["{table_id}","{row_id}"]'


@unhurried
@given(ROWS, NAMES.filter(lambda text: dump_json(text).decode() == f'"{text}"'), TEXTS, HLCS)
def test_a_cell_set_in_a_rows_bytes_is_a_cell_set_in_the_row(
    row: bytes, cell_id: str, text: str, hlc: str
) -> None:
    leaf = [text, hlc]
    cells, row_hlc = decode_row(row)
    merge_leaves(cells, {cell_id: leaf}, None)
    assert with_cell(row, cell_id, dump_json(leaf)) == encode_row(cells, row_hlc)


def outcome(made: Replica) -> tuple[Any, ...]:
    return export_content(made), made.content_hashes(), made.clock.state, made.largest_row


@unhurried
@given(CHANGES, st.lists(CELLS, max_size=6), st.sampled_from([NOW, NOW - 300_001]))
def test_cells_set_the_short_way_leave_a_replica_as_the_long_way_does(
    first: Any, cells: list[tuple[Any, ...]], now_ms: int
) -> None:
    short, long = replica(), replica()
    for each in (short, long):
        each.apply(parse_json(dump_json(first)), NOW)
    for cell in cells:
        text = frame_of(cell)
        change, message = cell_change(text), read(text)
        if change is None or not isinstance(message, Message):
            continue
        applied = long.apply(message.body, now_ms, newest=message.newest)
        stored = [] if applied is None else list(applied.entries)
        assert list(short.set_cell(change, now_ms)) == stored
        assert outcome(short) == outcome(long)
