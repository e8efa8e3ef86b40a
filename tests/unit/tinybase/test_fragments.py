import pytest

from app.tinybase.fragments import (
    OPEN_GROUPS,
    RETAINED_BYTES,
    Assembler,
    FragmentLedger,
    split_remainder,
)
from app.tinybase.refusals import Malformed, Overflow
from app.tinybase.wire import FRAGMENTS_PER_MESSAGE, Fragment, parse_frame

ID = "0123456789abcdef"


def fragment(
    index: int, total: int, piece: str, *, message_id: str = ID, address: str = ""
) -> Fragment:
    parsed = parse_frame(f"{address}\n{message_id}\n{index}\n{total}\n{piece}")
    assert isinstance(parsed, Fragment)
    return parsed


def assembler() -> Assembler:
    return Assembler(timeout_seconds=1.0)


def test_a_message_comes_out_with_its_last_piece_and_its_originals_in_index_order() -> None:
    joiner = assembler()
    pieces = ['["r"', ",1,", '""]']
    assert joiner.add(fragment(2, 3, pieces[2]), 0.0) is None
    assert joiner.add(fragment(0, 3, pieces[0]), 0.1) is None
    done = joiner.add(fragment(1, 3, pieces[1]), 0.2)
    assert done is not None
    assert done.message.request_id == "r"
    assert done.originals == tuple(f"{ID}\n{at}\n3\n{piece}" for at, piece in enumerate(pieces))


def test_a_group_that_takes_too_long_is_forgotten_without_complaint() -> None:
    joiner = assembler()
    assert joiner.add(fragment(0, 2, '["r",1'), 5.0) is None
    assert joiner.next_deadline() == 6.0
    assert joiner.add(fragment(1, 2, ',""]'), 6.0) is None  # begins a new group
    assert joiner.next_deadline() == 7.0
    joiner.expire(7.0)
    assert joiner.next_deadline() is None


def test_the_time_counts_from_the_first_fragment() -> None:
    joiner = assembler()
    joiner.add(fragment(0, 3, "["), 0.0)
    joiner.add(fragment(1, 3, '"r",1'), 0.9)
    assert joiner.add(fragment(2, 3, ',""]'), 1.0) is None


def test_the_same_id_to_another_address_is_another_message() -> None:
    joiner = assembler()
    joiner.add(
        fragment(0, 2, '["r",1'),
        0.0,
    )
    joiner.add(fragment(0, 2, '["r",1', address="S"), 0.0)
    done = joiner.add(fragment(1, 2, ',""]', address="S"), 0.0)
    assert done is not None
    assert done.message.address == "S"


def test_contradicting_fragments_are_refused() -> None:
    for second in (fragment(0, 2, "x"), fragment(1, 3, "x")):
        joiner = assembler()
        joiner.add(fragment(0, 2, "x"), 0.0)
        with pytest.raises(Malformed):
            joiner.add(second, 0.0)


def test_the_hundred_and_first_open_group_is_refused_and_a_finished_one_makes_room() -> None:
    joiner = assembler()
    for number in range(OPEN_GROUPS):
        joiner.add(fragment(0, 2, '["r",1', message_id=f"{number:016d}"), 0.0)
    assert joiner.add(fragment(1, 2, ',""]', message_id=f"{7:016d}"), 0.0) is not None
    joiner.add(fragment(0, 2, "x", message_id="x" * 16), 0.0)
    with pytest.raises(Overflow) as caught:
        joiner.add(fragment(0, 2, "x", message_id="y" * 16), 0.0)
    assert caught.value.reason == "tinybase:15:fragments"


def test_the_ledger_counts_remainders_and_each_key_once() -> None:
    ledger = FragmentLedger(timeout_seconds=1.0)
    first = fragment(0, 3, "é", address="someone")
    second = fragment(1, 3, "xy", address="someone")
    ledger.add(first, 0.0)
    ledger.add(second, 0.0)
    key = len("someone") + len(ID)
    remainders = len(first.remainder.encode()) + len(second.remainder.encode())
    assert ledger.retained_bytes == key + remainders
    assert ledger.groups == 1
    ledger.expire(1.0)
    assert (ledger.retained_bytes, ledger.groups) == (0, 0)


def test_retained_bytes_over_the_limit_are_refused() -> None:
    ledger = FragmentLedger(timeout_seconds=1.0)
    half = "x" * (RETAINED_BYTES // 2)
    ledger.add(fragment(0, 3, half), 0.0)
    with pytest.raises(Overflow) as caught:
        ledger.add(fragment(1, 3, half), 0.0)
    assert caught.value.reason == "tinybase:15:fragments"


def test_scopes_share_the_limits_but_not_the_groups() -> None:
    ledger = FragmentLedger(timeout_seconds=1.0)
    assert not ledger.add(fragment(0, 2, "x"), 0.0, scope="a")
    assert not ledger.add(fragment(0, 2, "x"), 0.0, scope="b")
    assert ledger.groups == 2
    ledger.drop_scope("a")
    assert ledger.groups == 1
    assert ledger.add(fragment(1, 2, "x"), 0.0, scope="b")
    assert ledger.groups == 0


def test_a_text_that_fits_is_not_split() -> None:
    assert split_remainder("x" * 100, None, ID) == ["x" * 100]
    assert split_remainder("x" * 100, 100, ID) == ["x" * 100]
    assert split_remainder("é" * 50, 100, ID) == ["é" * 50]


@pytest.mark.parametrize("size", [4, 5, 7, 16, 100])
def test_pieces_hold_whole_characters_and_join_to_the_text(size: int) -> None:
    text = "aé€\U0001f600\n" * 20
    pieces = split_remainder(text, size, ID)
    parsed = [fragment_from(piece) for piece in pieces]
    assert "".join(each.piece for each in parsed) == text
    assert [each.index for each in parsed] == list(range(len(pieces)))
    assert {each.total for each in parsed} == {len(pieces)}
    assert all(0 < len(each.piece.encode()) <= size for each in parsed)


def fragment_from(remainder: str) -> Fragment:
    parsed = parse_frame(f"\n{remainder}")
    assert isinstance(parsed, Fragment)
    return parsed


def test_a_long_text_never_makes_more_pieces_than_are_taken() -> None:
    text = "\U0001f600" * 50_000
    pieces = split_remainder(text, 1, ID)
    assert len(pieces) <= FRAGMENTS_PER_MESSAGE
    assert "".join(fragment_from(piece).piece for piece in pieces) == text


def test_what_was_split_comes_out_of_an_assembler() -> None:
    remainder = '["r",7,{"' + "é" * 500 + '":1}]'
    joiner = assembler()
    done = None
    for piece in split_remainder(remainder, 64, ID):
        assert done is None
        done = joiner.add(fragment_from(piece), 0.0)
    assert done is not None
    assert done.message.remainder == remainder
