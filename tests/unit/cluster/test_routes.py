"""From a raw path to a namespace."""

import pytest

from app.cluster.routes import Route, RouteTable


def _table(*pairs: tuple[str, str]) -> RouteTable:
    return RouteTable([Route(pattern=pattern, namespace=name) for pattern, name in pairs])


def test_the_first_route_that_matches_wins() -> None:
    table = _table(("cursors/**", "presence"), ("*", "flat"), ("**", "tinybase"))
    assert table.namespace_of("cursors/a/b") == "presence"
    assert table.namespace_of("room") == "flat"
    assert table.namespace_of("room/of/mine") == "tinybase"
    assert table.namespace_of("cursors") == "flat"


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("**", "", True),
        ("*", "", True),
        ("*", "a/b", False),
        ("a/*", "a/b", True),
        ("a/*", "a/", True),
        ("a/*", "a/b/c", False),
        ("a/*/c", "a/b/c", True),
        ("a/**", "a/b/c", True),
        ("a/**", "a", False),
        ("a/**/z", "a/b/c/z", True),
        ("a.c", "abc", False),
        ("a+", "a+", True),
        ("(x)", "(x)", True),
        ("exact", "exactly", False),
        ("a%20b", "a%20b", True),
    ],
)
def test_one_star_stays_within_a_segment_two_do_not(pattern: str, path: str, matches: bool) -> None:
    assert (_table((pattern, "n")).namespace_of(path) == "n") is matches


def test_a_path_that_no_route_takes_has_no_namespace() -> None:
    assert _table(("a", "n")).namespace_of("b") is None
    assert _table().namespace_of("b") is None
