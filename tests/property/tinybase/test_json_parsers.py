import math
from typing import Any

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from app.core.codec import JsonError, dump_json, parse_json, parse_json_exact
from app.core.json_text import js_number, js_stringify
from tests.property.tinybase.strategies import JSON, mutated, unhurried

NUMBERS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)
STRINGS = st.from_regex(
    r'"([a-zA-Z é☃]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}'
    r'|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}){0,6}"',
    fullmatch=True,
)
LITERALS = st.sampled_from(["null", "true", "false", "NaN", "-Infinity", "nul"])
SPACE = st.sampled_from(["", "", " ", "\t\r\n", "\x0b"])


def in_containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    arrays = st.lists(st.tuples(SPACE, inner, SPACE).map("".join), max_size=3)
    objects = st.lists(st.tuples(STRINGS, SPACE, st.just(":"), inner).map("".join), max_size=3)
    return st.one_of(
        arrays.map(lambda items: f"[{','.join(items)}]"),
        objects.map(lambda items: f"{{{','.join(items)}}}"),
    )


TEXTS = st.recursive(st.one_of(NUMBERS, STRINGS, LITERALS), in_containers, max_leaves=8)


def exactly(value: Any) -> Any:
    """A form in which 1, 1.0, -0.0 and True differ, and the order of keys counts."""
    if isinstance(value, dict):
        return [(key, exactly(child)) for key, child in value.items()]
    if isinstance(value, list):
        return ["list", *(exactly(child) for child in value)]
    sign = math.copysign(1.0, value) if isinstance(value, float) else None
    return (type(value), value, sign)


def as_doubles(value: Any) -> Any:
    """The value as JavaScript has it: every number a double."""
    if isinstance(value, dict):
        return {key: as_doubles(child) for key, child in value.items()}
    if isinstance(value, list):
        return [as_doubles(child) for child in value]
    return float(value) if type(value) in {int, float} else value


def outcome(parse: Any, text: str) -> Any:
    try:
        return exactly(parse(text))
    except JsonError:
        return None


@unhurried
@given(st.one_of(TEXTS, mutated(TEXTS)))
@example("-0")
@example("-0.0")
@example('"\\ud800\\udc00"')
@example("1e308")
@example("1e309")
@example("9223372036854775808")
@example("-9223372036854775809")
def test_both_parsers_have_one_answer(text: str) -> None:
    assert outcome(parse_json, text) == outcome(parse_json_exact, text)
    try:
        fast = orjson.loads(text)
    except orjson.JSONDecodeError:
        return
    assert exactly(fast) == outcome(parse_json_exact, text)


@unhurried
@given(JSON)
def test_what_is_printed_is_parsed_back(value: Any) -> None:
    assert exactly(parse_json(dump_json(value))) == exactly(value)


@unhurried
@given(JSON)
def test_javascripts_text_is_json_of_the_same_value(value: Any) -> None:
    text = js_stringify(value)
    if "\ufffc" not in text:
        assert as_doubles(parse_json(text)) == as_doubles(value)


@unhurried
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_back_from_its_text(number: float) -> None:
    text = js_number(number)
    assert float(text) == number
    assert "e" in text or (len(text.lstrip("-").partition(".")[0]) <= 21)
    assert not text.endswith(".0")
