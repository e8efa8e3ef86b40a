"""Options of a TinyBase namespace."""

import pytest

from app.tinybase.room import TinyBaseRoom


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"sink": "hub"}, "no option sink"),
        ({"sync": "star"}, "neither hub nor relay"),
        ({"fragment_size": "0"}, "positive"),
        ({"fragment_size": "many"}, "positive"),
        ({"request_timeout_seconds": "soon"}, "between 0 and 60"),
        ({"request_timeout_seconds": "61"}, "between 0 and 60"),
        ({"request_timeout_seconds": "nan"}, "between 0 and 60"),
    ],
)
def test_a_misspelt_option_is_told_at_the_mount(options: dict[str, str], problem: str) -> None:
    found = TinyBaseRoom.check_settings(options)
    assert found is not None
    assert problem in found


def test_good_options_are_no_problem() -> None:
    assert TinyBaseRoom.check_settings({}) is None
    options = {"sync": "relay", "fragment_size": "60000", "request_timeout_seconds": "2.5"}
    assert TinyBaseRoom.check_settings(options) is None
