import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.terminal_text import json_line, json_text, lines, one_line
from app.core.codec import parse_json

ANYTHING = st.text(st.characters())
JSON = st.recursive(
    ANYTHING | st.integers(-5, 5) | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(ANYTHING, inner),
    max_leaves=6,
)


@pytest.mark.parametrize(
    "text",
    ["\x1b[2Jgone", "\x9b31m", "a\rb", "a\nb", "\u202egnp.exe", "\u2028", "\ud800", "\U000e0041"],
)
def test_nothing_that_moves_the_cursor_or_hides_text_is_shown_as_it_is(text: str) -> None:
    shown = one_line(text)
    assert "\\u" in shown
    assert shown.isprintable()


def test_letters_of_all_languages_stay() -> None:
    assert one_line("Ülo 東京 🎉 עברית") == "Ülo 東京 🎉 עברית"


def test_lines_keep_their_ends_and_nothing_else() -> None:
    assert lines("a\nb\x1b[1m") == "a\nb\\u001b[1m"


@given(JSON)
def test_json_that_is_made_safe_means_the_same(value: object) -> None:
    assert parse_json(json_line(value)) == parse_json(json_text(value))
    assert json_line(parse_json(json_line(value))) == json_line(value)
    assert "\n" not in json_line(value)
