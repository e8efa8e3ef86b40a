"""JSON for a part of a content: what is refused, and what RFC 7396 makes of a value."""

from typing import Any

import pytest

from app.tinybase.content_patch import merged, problem_of

_PETS = ["tables", "pets"]


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_examples_of_rfc_7396(target: Any, patch: Any, result: Any) -> None:
    assert merged(target, patch) == result


@pytest.mark.parametrize(
    ("path", "content", "problem"),
    [
        ([], [], "the content is an array, not an object of tables and values"),
        ([], None, "the content is null, not an object of tables and values"),
        ([], {"rows": {}}, "'rows' is neither tables nor values"),
        ([], {"tables": {"pets": 1}}, "tables/pets is a number, not an object of rows"),
        (
            [],
            {"tables": {"pets": {"fido": True}}},
            "tables/pets/fido is a boolean, not an object of",
        ),
        (_PETS, {"fido": {"a": "\ufffc"}}, "tables/pets/fido/a is U+FFFC"),
        (_PETS, {"fido": {"a": [{"b": "\ufffc"}]}}, "tables/pets/fido/a is U+FFFC"),
        ([*_PETS, "fido"], "x", "tables/pets/fido is text, not an object of cells"),
        ([*_PETS, "fido", "a", "b"], 1, "there is no such part"),
        (["values"], [1], "values is an array, not an object of cells or values"),
        (["values", "a", "b"], 1, "there is no such part"),
        (["else"], 1, "there is no such part"),
    ],
)
@pytest.mark.parametrize("patch", [False, True])
def test_what_is_no_content_is_told_with_its_place(
    path: list[str],
    content: Any,
    problem: str,
    patch: bool,
) -> None:
    if content is None and patch:
        return
    assert str(problem_of(path, content, patch=patch)).startswith(problem)


def test_null_deletes_in_a_patch_and_is_no_table_otherwise() -> None:
    nulls = {"tables": {"pets": None, "fruit": {"apple": None}}, "values": {"a": None}}
    assert problem_of([], nulls, patch=True) is None
    assert problem_of(_PETS, None, patch=True) is None
    assert "null" in str(problem_of([], nulls, patch=False))
    assert problem_of([*_PETS, "fido", "cell"], None, patch=False) is None


def test_a_long_id_is_cut_in_what_is_told() -> None:
    assert len(str(problem_of(["tables"], {"x" * 10_000: 1}, patch=False))) < 200
