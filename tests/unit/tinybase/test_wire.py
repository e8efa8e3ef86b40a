import pytest

from app.sdk.json import dump_json
from app.tinybase.bodies import CONTENT_DIFF, GET_CONTENT_HASHES
from app.tinybase.refusals import Malformed, Overflow
from app.tinybase.wire import (
    FRAME_BYTES,
    Fragment,
    Message,
    fragment_of,
    message_remainder,
    parse_frame,
    parse_message,
    utf8_size,
)

EARLY = "Nn1JUF-----7JQY8"
LATE = "Nn1JUF----07JQY8"


def message(text: str) -> Message:
    parsed = parse_frame(text)
    assert isinstance(parsed, Message)
    return parsed


def test_a_message_keeps_its_remainder_as_it_came() -> None:
    remainder = ' [ "a" ,1.0, "" ]\n'
    parsed = message(f"someone\n{remainder}")
    assert parsed == Message("someone", "a", GET_CONTENT_HASHES, "", "", remainder)


def test_the_newest_stamp_of_a_diff_is_found_wherever_it_stands() -> None:
    cell = [1, EARLY]
    for tables, values in (
        ([{"t": [{"r": [{"a": cell, "b": [2, LATE]}]}]}], [{}]),
        ([{"t": [{"r": [{"c": cell}, LATE]}]}], [{}]),
        ([{"t": [{"r": [{"c": cell}]}, LATE]}], [{}]),
        ([{"t": [{"r": [{"c": cell}]}]}, LATE], [{}]),
        ([{"t": [{"r": [{"c": cell}]}]}], [{"v": [1, LATE]}]),
        ([{"t": [{"r": [{"c": cell}]}]}], [{}, LATE]),
    ):
        text = "S\n" + dump_json(["a", CONTENT_DIFF, [tables, values, 1]]).decode()
        assert message(text).newest == LATE


def test_a_request_id_that_means_undefined_is_refused() -> None:
    with pytest.raises(Malformed):
        parse_frame('S\n["\ufffc",1,""]')
    assert message('S\n[null,1,""]').request_id is None


def test_an_undefined_hash_is_refused_and_an_undefined_key_is_an_id() -> None:
    with pytest.raises(Malformed):
        parse_frame('S\n["a",4,{"t":"\ufffc"}]')
    assert message('S\n["a",4,{"\ufffc":1}]').body == {"\ufffc": 1}


@pytest.mark.parametrize("value", ["true", "1.5", "-1", "4294967296", '"1"', "null", "[]"])
def test_what_is_no_hash_is_refused_at_every_depth(value: str) -> None:
    for kind, body in (
        (2, f"[0,{value}]"),
        (4, f'{{"t":{value}}}'),
        (5, f'{{"t":{{"r":{value}}}}}'),
        (6, f'{{"t":{{"r":{{"c":{value}}}}}}}'),
        (7, f'{{"v":{value}}}'),
    ):
        with pytest.raises(Malformed):
            parse_frame(f'S\n["a",{kind},{body}]')


@pytest.mark.parametrize("kind", ["true", "1.5", '"1"', "null", "8", "-1", "1e2"])
def test_what_is_no_message_type_is_refused(kind: str) -> None:
    with pytest.raises(Malformed):
        parse_frame(f'S\n["a",{kind},""]')


def test_a_frame_of_exactly_the_limit_is_read_and_one_byte_more_is_not() -> None:
    head, tail = '\n["a",1,""', "]"
    exact = head + " " * (FRAME_BYTES - len(head) - len(tail)) + tail
    assert message(exact).kind == GET_CONTENT_HASHES
    with pytest.raises(Overflow) as caught:
        parse_frame(f"x{exact}")
    assert caught.value.reason == "tinybase:15:socket"


def test_the_limit_counts_utf8_bytes() -> None:
    text = "S\n" + "é" * (FRAME_BYTES // 2)
    with pytest.raises(Overflow):
        parse_frame(text)
    assert utf8_size("aé€\U0001f600\ud800") == 1 + 2 + 3 + 4 + 3


def test_a_fragment_keeps_what_follows_its_header_as_it_is() -> None:
    parsed = parse_frame("someone\n0123456789abcdef\n01\n002\nx\n\ny")
    assert parsed == Fragment(
        address="someone",
        message_id="0123456789abcdef",
        index=1,
        total=2,
        piece="x\n\ny",
        remainder="0123456789abcdef\n01\n002\nx\n\ny",
    )


def test_numbers_of_thousands_of_digits_are_judged_without_being_read() -> None:
    huge = "9" * 10_000
    zeros = "0" * 10_000
    with pytest.raises(Overflow):
        parse_frame(f"S\n0123456789abcdef\n0\n{huge}\nx")
    with pytest.raises(Malformed):
        parse_frame(f"S\n0123456789abcdef\n{huge}\n2\nx")
    assert isinstance(parse_frame(f"S\n0123456789abcdef\n{zeros}\n{zeros}2\nx"), Fragment)


def test_a_joined_text_must_be_a_message_and_not_a_fragment_again() -> None:
    assert parse_message("S", '["a",1,""]').address == "S"
    for joined in ("nope", "0123456789abcdef\n0\n1\nx", '["a",9,""]'):
        with pytest.raises(Malformed):
            parse_message("S", joined)


def test_a_payload_is_known_as_a_fragment_by_its_form() -> None:
    assert fragment_of('S\n["a",1,""]') is None
    assert fragment_of("S") is None
    assert fragment_of("0123456789abcdef\n0\n1\nx") is None
    found = fragment_of("\n0123456789abcdef\n0\n1\nx")
    assert found is not None
    assert found.address == ""


def test_a_message_is_written_around_a_body_that_is_text_already() -> None:
    assert message_remainder(None, 0, b"[0,0]") == "[null,0,[0,0]]"
    assert message_remainder('a"\ud800', 1, b'""') == r'["a\"\ud800",1,""]'
