"""Whole tables as messages: the same text as from rows, with shared parts."""

import pytest

from app.sdk.json import dump_json, parse_json
from app.tinybase.answers import answer
from app.tinybase.blocks import BLOCK_BYTES, WholeTable
from app.tinybase.bodies import GET_TABLE_DIFF
from app.tinybase.changes import TableRows, tables_stamp
from app.tinybase.former import Former
from app.tinybase.parted import (
    gathered,
    parted_remainder,
    remainder_size,
    remainder_text,
)
from app.tinybase.replica import Replica
from app.tinybase.whole import whole_in_pieces, whole_stamp
from app.tinybase.wire import message_remainder
from tests.unit.tinybase.replicas import NOW, cells, filled, hlc, replica


def large(rows: int, size: int = 4_000) -> Replica:
    text = "x" * size
    members = {f"r{at}": [{"c": [text, hlc(at)]}] for at in range(rows)}
    return filled([[{"t": [members]}], [{}], 1])


@pytest.mark.parametrize("own", ["", hlc(7)])
@pytest.mark.parametrize("blocks", [(), (b'"r":[{}]',), (b'"r":[{}]', b'"s":[{}]')])
def test_a_stamp_of_blocks_is_the_one_of_rows(own: str, blocks: tuple[bytes, ...]) -> None:
    rows = [(block[1:2].decode(), b"[{}]") for block in blocks]
    tables = [WholeTable(table_id, own, blocks) for table_id in ("a", '"\ud800')]
    expected = tables_stamp([TableRows(each.table_id, own, rows) for each in tables], own)
    assert b"".join(whole_stamp(tables, own)) == expected


def test_no_tables_are_an_empty_stamp() -> None:
    assert b"".join(whole_stamp([])) == b"[{}]"
    assert list(whole_in_pieces([], 100)) == []


def test_two_answers_at_the_same_state_share_their_large_parts() -> None:
    me = large(100)
    first, second = (answer(me, GET_TABLE_DIFF, {}).parts() for _ in range(2))
    shared = [part for part in first if len(part) > BLOCK_BYTES // 2]
    assert sum(map(len, shared)) > 0.9 * sum(map(len, first))
    assert all(any(part is other for other in second) for part in shared)


def test_pieces_of_two_answers_share_their_large_parts_too() -> None:
    me = large(100)
    first, second = (
        [part for piece in answer(me, GET_TABLE_DIFF, {}).pieces(200_000) for part in piece]
        for _ in range(2)
    )
    for part in first:
        assert len(part) < BLOCK_BYTES // 2 or any(part is other for other in second)


def test_after_a_change_the_answer_tells_it_and_shares_the_rest() -> None:
    me = large(100)
    before = answer(me, GET_TABLE_DIFF, {}).parts()
    me.apply(cells("t", "r50", {"c": ["after", hlc(500)]}), NOW)
    me.apply(cells("t", "new", {"c": ["new", hlc(500)]}), NOW)
    given = answer(me, GET_TABLE_DIFF, {})
    rows = parse_json(given.body())[0][0]["t"][0]
    assert len(rows) == 101
    assert rows["r50"] == [{"c": ["after", hlc(500)]}]
    shared = [part for part in given.parts() if any(part is other for other in before)]
    assert sum(map(len, shared)) > 0.5 * given.missing_bytes()


def test_texts_that_are_forgotten_are_made_again() -> None:
    me = large(100)
    before = answer(me, GET_TABLE_DIFF, {})
    assert me.tables["t"].rows_to_encode == 0
    me.forget_text()
    assert me.tables["t"].rows_to_encode == 100
    assert answer(me, GET_TABLE_DIFF, {}).body() == before.body()


def test_a_small_table_keeps_no_text() -> None:
    me = filled(cells("t", "r", {"c": [1, hlc(1)]}))
    answer(me, GET_TABLE_DIFF, {})
    assert me.tables["t"].rows_to_encode == 1


@pytest.mark.parametrize("piece_bytes", [3_000, 100_000, 1 << 20])
def test_the_pieces_of_whole_tables_merge_to_the_whole(piece_bytes: int) -> None:
    me = large(100)
    for at in range(5):
        me.merge([[{f"u{at}": [{"r": [{"c": [at, hlc(at)]}]}, hlc(at)]}], [{}], 1])
    given = answer(me, GET_TABLE_DIFF, {})
    asker = replica()
    pieces = [b"".join(piece) for piece in given.pieces(piece_bytes)]
    for piece in reversed(pieces):
        assert len(piece) < piece_bytes + 5_000
        assert asker.apply(parse_json(piece), NOW + 1_000) is not None
    assert asker.content_hashes() == me.content_hashes()


def test_rows_that_were_taken_back_are_in_no_answer() -> None:
    me = large(100)
    answer(me, GET_TABLE_DIFF, {})
    former = Former()
    me.alter(cells("t", "gone", {"c": [1, hlc(900)]}), former)
    assert "gone" in parse_json(answer(me, GET_TABLE_DIFF, {}).body())[0][0]["t"][0]
    me.restore(former)
    assert "gone" not in parse_json(answer(me, GET_TABLE_DIFF, {}).body())[0][0]["t"][0]


def test_a_remainder_in_parts_is_the_one_in_text() -> None:
    body = (b"[", b"1" * 5_000, b",2", b"]")
    parts = parted_remainder('q"', 0, body)
    assert len(parts) == 3
    assert parts[1] is body[1]
    text = message_remainder('q"', 0, b"".join(body))
    assert remainder_text(parts) == remainder_text(text) == text
    assert remainder_size(parts) == remainder_size(text) == len(text)


def test_small_parts_are_gathered_and_large_ones_are_left() -> None:
    big = dump_json("x" * 5_000)
    assert gathered([b"a", b"", b"b", big, big, b"c"]) == (b"ab", big, big, b"c")
    assert gathered([]) == ()
