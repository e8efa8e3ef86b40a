"""Rows as text in blocks: what is shared, and what is encoded anew."""

import pytest

from app.sdk.json import dump_json, parse_json
from app.tinybase.blocks import BLOCK_BYTES, Blocks, encode_members, rows_in

ROW = dump_json([{"c": ["x" * 1000, "stamp"]}])
ROWS_OF_A_BLOCK = BLOCK_BYTES // (len(ROW) + len("r000") + 4)


def row(text: str, size: int = 0) -> bytes:
    return dump_json([{"c": [text + "x" * size]}])


def many(count: int) -> dict[str, bytes]:
    return {f"r{number:03}": ROW for number in range(count)}


def told(texts: tuple[bytes, ...]) -> list[str]:
    """The ids in all blocks, in order."""
    return list(parse_json(b"{%b}" % b",".join(texts)))


def test_joined_with_commas_the_blocks_are_the_rows_in_their_order() -> None:
    rows = many(500)
    rows['"\ud800'] = row("odd")
    texts = Blocks().texts(rows)
    assert len(texts) > 3
    assert max(map(len, texts)) <= BLOCK_BYTES
    assert b",".join(texts) == encode_members(rows.items())


def test_a_table_without_rows_has_no_block() -> None:
    assert Blocks().texts({}) == ()


def test_who_asks_next_gets_the_very_same_texts() -> None:
    rows, blocks = many(500), Blocks()
    first = blocks.texts(rows)
    assert all(mine is yours for mine, yours in zip(first, blocks.texts(rows), strict=True))
    assert blocks.rows_to_encode(rows) == 0


def test_a_change_encodes_its_block_alone_and_what_was_handed_out_stays() -> None:
    rows, blocks = many(500), Blocks()
    before = blocks.texts(rows)
    rows["r250"] = row("new")
    blocks.changed({"r250"})
    assert blocks.rows_to_encode(rows) == ROWS_OF_A_BLOCK
    after = blocks.texts(rows)
    same = [mine is yours for mine, yours in zip(before, after, strict=True)]
    assert same.count(False) == 1
    assert b",".join(after) == encode_members(rows.items())
    assert parse_json(b"{%b}" % b",".join(before))["r250"] == parse_json(ROW)


def test_new_rows_fill_the_last_block_and_then_further_ones() -> None:
    rows, blocks = many(10), Blocks()
    (only,) = blocks.texts(rows)
    rows |= many(500)
    blocks.changed(set(rows))
    assert blocks.rows_to_encode(rows) == 500
    texts = blocks.texts(rows)
    assert texts[0] != only
    assert told(texts) == list(rows)
    assert [text.count(b'"r') for text in texts[:-1]] == [ROWS_OF_A_BLOCK] * (len(texts) - 1)


def test_rows_that_grow_are_divided_again() -> None:
    rows, blocks = many(300), Blocks()
    blocks.texts(rows)
    for row_id in list(rows)[:20]:
        rows[row_id] = row("grown", BLOCK_BYTES // 2)
        blocks.changed([row_id])
    texts = blocks.texts(rows)
    assert max(map(len, texts)) <= BLOCK_BYTES
    assert told(texts) == list(rows)


def test_one_row_may_be_larger_than_a_block() -> None:
    rows = {"a": row("a"), "huge": row("b", 10 * BLOCK_BYTES), "c": row("c")}
    blocks = Blocks()
    assert [told((text,)) for text in blocks.texts(rows)] == [["a"], ["huge"], ["c"]]
    blocks.changed(["huge"])
    assert told(blocks.texts(rows)) == ["a", "huge", "c"]


@pytest.mark.parametrize("stamp", [[{"c": [1.5, "hlc"], "d": [None]}], [{"c": [1]}, "own"], [{}]])
def test_the_rows_of_a_block_are_as_they_were(stamp: list[object]) -> None:
    rows = [("\n", dump_json(stamp)), ("other", ROW)]
    assert rows_in(encode_members(rows)) == rows
