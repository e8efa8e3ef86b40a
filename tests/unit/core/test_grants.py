"""What a client was let in for: patterns, roles, and the way to another worker."""

import pytest

from app.core.grants import EVERYTHING, MOST_RULES, ClientRole, Grant, GrantInvalid, GrantRule

READ, WRITE, ADMIN = ClientRole.READ, ClientRole.WRITE, ClientRole.ADMIN


def _matches(pattern: str, name: str, namespace: str = "tinybase") -> bool:
    return GrantRule(pattern=pattern, role=READ).matches(namespace, name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("docs/a", "docs/a"),
        ("docs/*", "docs/a"),
        ("docs/*", "docs/a:b"),
        ("docs/a*", "docs/a"),
        ("docs/a*z", "docs/abcz"),
        ("docs/a*b*c", "docs/a1b2bc"),
        ("*/edit", "x/edit"),
        ("docs/**", "docs/a/b/c"),
        ("docs/**", "docs/"),
        ("**/log", "a/b/log"),
        ("a/**/b/**/c", "a/1/b/2/b/3/c"),
        ("**", ""),
        ("tinybase:docs/*", "docs/a"),
        ("*:docs/*", "docs/a"),
    ],
)
def test_a_pattern_matches(pattern: str, name: str) -> None:
    assert _matches(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("docs/a", "docs/ab"),
        ("docs/a", "docs/A"),
        ("docs/*", "docs/a/b"),
        ("docs/*", "docs/"),
        ("docs/*", "docs"),
        ("docs/**", "docs"),
        ("docs/**", "docs2/a"),
        ("docs/ab*ba", "docs/aba"),
        ("docs/a*b*c", "docs/acb"),
        ("**/log", "log"),
        ("a/**/b", "a/b"),
        ("docs/*", "docs%2Fa"),
        ("docs/.", "docs/x"),
        ("counter:docs/*", "docs/a"),
    ],
)
def test_a_pattern_does_not_match(pattern: str, name: str) -> None:
    assert not _matches(pattern, name)


def test_a_pattern_without_a_namespace_opens_nothing_but_tinybase_rooms() -> None:
    assert not _matches("**", "a", "counter")
    assert _matches("counter:*", "a", "counter")
    assert _matches("*:**", "a/b", "counter")


def test_a_long_pattern_of_stars_is_matched_without_exploding() -> None:
    name = "a" * 1_024
    assert not _matches("*a" * 500 + "*b", name)
    assert not _matches("/".join(["**", "a"] * 200) + "/b", "/".join("a" * 500))


def test_the_highest_role_counts_in_whatever_order() -> None:
    rooms = {"docs/**": "read", "docs/a/*": "write", "docs/a/x": "admin"}
    for pairs in (rooms.items(), reversed(rooms.items())):
        grant = Grant.of(dict(pairs))
        roles = [grant.role_for("tinybase", n) for n in ("docs/a/x", "docs/a/y", "docs/b", "x")]
        assert roles == [ADMIN, WRITE, READ, None]


def test_a_role_may_do_what_those_before_it_may() -> None:
    assert ADMIN.covers(WRITE)
    assert WRITE.covers(WRITE)
    assert not READ.covers(WRITE)


@pytest.mark.parametrize("pattern", ["", "counter:", "docs/a**", "***", "x" * 1_025])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(GrantInvalid):
        Grant.of({pattern: "read"})


def test_roles_and_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(GrantInvalid):
        Grant.of({"a": "owner"})
    with pytest.raises(GrantInvalid):
        Grant.of({f"a{number}": "read" for number in range(MOST_RULES + 1)})
    with pytest.raises(GrantInvalid):
        Grant(subject="x" * 257)


def test_a_grant_is_the_same_at_another_worker() -> None:
    grant = Grant.of(
        {"docs/*": "write"}, subject="alice", expires_at=1_900_000_000.5, credential_id="c1"
    )
    assert Grant.heard(grant.told()) == grant


def test_where_rooms_are_open_everybody_may_write_everywhere() -> None:
    assert EVERYTHING.role_for("tinybase", "") is WRITE
    assert EVERYTHING.role_for("counter", "a/b c/ü") is WRITE
