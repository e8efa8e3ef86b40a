"""Large JSON in parts says what the parser says of the whole."""

import json  # noqa: TID251 - the parser under test does not judge itself
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import json_parts
from app.core.codec import MAX_JSON_DEPTH, JsonError, parse_json
from app.core.json_parts import parse_json_in_parts

_LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(), inner, max_size=6),
    max_leaves=60,
)


def content(rows: int) -> dict[str, Any]:
    return {
        "tables": {"t": {f"r{n}": {"c": n, "d": [1, {"x": "]}"}]} for n in range(rows)}, "e": {}},
        "values": {"v": [], "w": '{"\\'},
    }


def outcome(parse: Any, text: str) -> Any:
    try:
        return parse(text)
    except JsonError as error:
        return str(error)


@given(_VALUES, st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: ")]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_json_has_the_same_value(
    value: Any, separators: tuple[str, str], ascii_only: bool
) -> None:
    text = json.dumps(value, separators=separators, ensure_ascii=ascii_only)
    assert repr(outcome(parse_json_in_parts, text)) == repr(outcome(parse_json, text))


@given(_VALUES, st.integers(0, 400), st.sampled_from(list('{}[]",:\\ 1e\x00\ud800')))
@settings(max_examples=200, deadline=None)
def test_any_broken_json_is_refused_in_the_same_words(value: Any, at: int, stray: str) -> None:
    text = json.dumps(value)
    at %= len(text) + 1
    broken = text[:at] + stray + text[at:]
    assert repr(outcome(parse_json_in_parts, broken)) == repr(outcome(parse_json, broken))


def test_a_large_content_is_parsed_in_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps(content(2_000))
    sizes: list[int] = []

    def spy(part: str) -> Any:
        sizes.append(len(part))
        return parse_json(part)

    monkeypatch.setattr(json_parts, "parse_json", spy)
    assert parse_json_in_parts(text) == content(2_000)
    assert len(sizes) > 10
    assert max(sizes) < len(text) / 5


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"b":2,"a":3}',
        '{"a":{"b":{"c":{"d":{"e":{}}}}},"a":[]}',
        "{} {}",
        '{"a":1,}',
        "[1,2,]",
        '{"a":{"b":{"c":{"x":1}}}]',
        '["\\ud800"]',
        '{"\\ud800":{"a":{"b":{"c":1}}}}',
        "[1e400]",
        "",
        "  ",
        "7",
        "[" * (MAX_JSON_DEPTH + 1) + "]" * (MAX_JSON_DEPTH + 1),
        "[" * MAX_JSON_DEPTH + "]" * MAX_JSON_DEPTH,
    ],
)
def test_odd_texts_end_as_with_the_parser(text: str) -> None:
    assert outcome(parse_json_in_parts, text) == outcome(parse_json, text)
