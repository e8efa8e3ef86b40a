import re

import pytest

from app.core.codec import (
    MAX_JSON_DEPTH,
    JsonError,
    dump_json,
    dump_json_ascii,
    parse_json,
    parse_json_exact,
)
from app.core.json_text import js_number, js_stringify

LONE = "\ud800"

TAKEN = [
    ("1", 1),
    ("-0", 0),
    ("1.0", 1.0),
    ("1e3", 1000.0),
    ("1e-400", 0.0),
    ("9007199254740993", 9007199254740993),
    ("18446744073709551615", 18446744073709551615),
    ("18446744073709551616", 18446744073709551616.0),
    ("-9223372036854775808", -9223372036854775808),
    ("-9223372036854775809", -9223372036854775809.0),
    ("1" * 300, float("1" * 300)),
    (' \t\r\n[1 , "a"]\n', [1, "a"]),
    ('{"a":1,"b":2,"a":3}', {"a": 3, "b": 2}),
    (r'"\ud83d\ude00"', "\U0001f600"),
    (r'"\u0000"', "\0"),
    ('{"__proto__":null}', {"__proto__": None}),
    ("[" * MAX_JSON_DEPTH + "]" * MAX_JSON_DEPTH, None),
]
REFUSED = [
    "",
    " ",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "-1e400",
    "1" * 400,
    "1" * 5000,
    "\ufeff[]",
    "[]x",
    "[1,]",
    "01",
    ".5",
    "1.",
    "+1",
    "'a'",
    '"\x01"',
    '"a\nb"',
    r'"\x41"',
    "[" * (MAX_JSON_DEPTH + 1) + "]" * (MAX_JSON_DEPTH + 1),
    '{"a":' * 5000,
    "[" * 100_000,
]


@pytest.mark.parametrize("parse", [parse_json, parse_json_exact])
@pytest.mark.parametrize(("text", "expected"), TAKEN)
def test_both_parsers_take_what_json_is(parse: type, text: str, expected: object) -> None:
    for form in (text, text.encode()):
        value = parse(form)
        if expected is not None:
            assert value == expected
            assert type(value) is type(expected)


@pytest.mark.parametrize("parse", [parse_json, parse_json_exact])
@pytest.mark.parametrize("text", REFUSED)
def test_both_parsers_refuse_what_json_is_not(parse: type, text: str) -> None:
    for form in (text, text.encode()):
        with pytest.raises(JsonError):
            parse(form)


def test_bytes_that_are_no_utf8_are_refused() -> None:
    for data in (b'"\xff"', b'"\xed\xa0\x80"'):
        with pytest.raises(JsonError):
            parse_json(data)


def test_a_lone_surrogate_escape_comes_back_as_that_surrogate_everywhere() -> None:
    assert parse_json(r'{"\udc00":["\ud800","\udc00\ud800"]}') == {
        "\udc00": ["\ud800", "\udc00\ud800"]
    }


def test_the_depth_limit_holds_for_a_text_that_only_the_exact_parser_takes() -> None:
    def nested(levels: int) -> str:
        return "[" * levels + r'"\ud800"' + "]" * levels

    assert parse_json(nested(MAX_JSON_DEPTH))
    with pytest.raises(JsonError):
        parse_json(nested(MAX_JSON_DEPTH + 1))


def test_brackets_inside_strings_and_wide_texts_are_not_deep() -> None:
    assert parse_json('["' + "[{" * 5000 + '"]') == ["[{" * 5000]
    wide = "[" + ",".join("[]" for _ in range(5000)) + "]"
    assert len(parse_json(wide)) == 5000


def test_the_deepest_value_that_is_parsed_can_be_printed() -> None:
    text = '{"a":' * MAX_JSON_DEPTH + "1" + "}" * MAX_JSON_DEPTH
    assert dump_json(parse_json(text)) == text.encode()


def test_a_lone_surrogate_is_printed_as_a_lower_case_escape() -> None:
    value = {LONE: ["\U0001f600", "\udfff/\x7f\u2028", 1.5, None, True]}
    text = dump_json(value)
    assert text == '{"\\ud800":["\U0001f600","\\udfff/\x7f\u2028",1.5,null,true]}'.encode()
    assert parse_json(text) == value


def test_both_printers_write_infinities_as_null() -> None:
    infinite = float("inf")
    assert dump_json([infinite, {"a": -infinite}]) == b'[null,{"a":null}]'
    assert dump_json([LONE, (infinite, float("nan"))]) == b'["\\ud800",[null,null]]'


def test_what_is_not_json_is_not_printed() -> None:
    with pytest.raises(TypeError):
        dump_json(object())


def test_every_character_is_printed_as_javascript_prints_it() -> None:
    escapes = {
        '"': '\\"',
        "\\": "\\\\",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
    }
    for code in [*range(0x3000), *range(0xD7F0, 0xE010), *range(0xFFF0, 0x10010)]:
        character = chr(code)
        if 0xD800 <= code < 0xE000:
            expected = f"\\u{code:04x}"
        else:
            control = f"\\u{code:04x}" if code < 0x20 else character
            expected = escapes.get(character, control)
        assert dump_json(character) == f'"{expected}"'.encode()


def test_ascii_printing_escapes_the_rest_and_reads_back() -> None:
    value = ["é", "\U0001f600", LONE, "\x7f"]
    text = dump_json_ascii(value)
    assert text.isascii()
    assert parse_json(text) == value


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (5.0, "5"),
        (-1.5, "-1.5"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (123456789012345680000.0, "123456789012345680000"),
        (1.5e300, "1.5e+300"),
        (-1e22, "-1e+22"),
        (1e16, "10000000000000000"),
        (12345678901234567890, "12345678901234567000"),
        (0.0001, "0.0001"),
        (0.00001, "0.00001"),
        (1.2e-5, "0.000012"),
        (0.000001, "0.000001"),
        (1e-7, "1e-7"),
        (-1.23e-7, "-1.23e-7"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (2**53 + 1, "9007199254740992"),
        (10**30, "1e+30"),
    ],
)
def test_numbers_are_written_as_javascript_writes_them(number: float, text: str) -> None:
    assert js_number(number) == text


@pytest.mark.parametrize("number", [float("inf"), float("nan"), 10**400])
def test_a_number_beyond_the_doubles_has_no_text(number: float) -> None:
    with pytest.raises(ValueError, match=re.escape("not a finite number")):
        js_number(number)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ("\ufffc", "null"),
        ("a\ufffc", '"a\ufffc"'),
        ([1, "\ufffc", (False,)], "[1,null,[false]]"),
        ({"b": 1.0, "a": "\ufffc"}, '{"b":1}'),
        ({"b": 1, "10": 2, "9": 3, "01": 4, "4294967295": 5}, None),
        (LONE, '"\\ud800"'),
    ],
)
def test_values_are_written_as_javascript_writes_them(value: object, text: str | None) -> None:
    expected = text if text is not None else '{"9":3,"10":2,"b":1,"01":4,"4294967295":5}'
    assert js_stringify(value) == expected


def test_a_type_that_json_lacks_has_no_text() -> None:
    with pytest.raises(TypeError):
        js_stringify({1})
