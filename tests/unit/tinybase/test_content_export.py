"""A content as a file of TinyBase's file persister, whole and in parts."""

import json  # noqa: TID251 - reads what others would
from typing import Any

import pytest

from app.tinybase.content import export_content, get_tables, get_values
from app.tinybase.content_export import export_part
from app.tinybase.foreign import replica_of
from app.tinybase.replica import Replica
from tests.unit.tinybase.replicas import NOW, cells, filled, hlc, values

DELETED = "\ufffc"


def some() -> Replica:
    return filled(
        cells("pets", "rex", {"a": ["\ufffd[1]", hlc(1)], "b": [DELETED, hlc(2)]}),
        cells("pets", "gone", {"a": [DELETED, hlc(1)]}),
        cells("pets", "empty", {}),
        cells("a:b", "", {"": [None, hlc(3)], "ü💥": ["\ud800", ""]}),
        cells("gone", "r", {"a": [DELETED, hlc(1)]}),
        cells("later", "r", {"a": [1.5, hlc(1)]}),
        [[{"none": [{}]}], [{}], 1],
        [[{"stamped": [{"r": [{}, hlc(7)]}, hlc(8)]}, hlc(9)], [{}, hlc(6)], 1],
        values({"v": [True, hlc(4)], "w": [DELETED, hlc(5)], "x": [None, hlc(5)]}),
    )


def file_of(replica: Replica, form: str, limit_bytes: int) -> tuple[Any, int]:
    """The file, and of how many parts it is made."""
    texts: list[str] = []
    after = ""
    while not texts or after:
        text, after = export_part(replica, form, after, limit_bytes)
        texts.append(text)
    return json.loads("".join(texts)), len(texts)


@pytest.mark.parametrize("limit_bytes", [1, 40, 100, 1 << 20])
@pytest.mark.parametrize("content", [some, filled], ids=["some", "nothing"])
def test_parts_of_any_size_make_the_same_file(content: Any, limit_bytes: int) -> None:
    mergeable, parts = file_of(content(), "mergeable", limit_bytes)
    assert mergeable == export_content(content())
    assert parts == 1 or limit_bytes < 1000
    plain, _ = file_of(content(), "content", limit_bytes)
    assert plain == [get_tables(content()), get_values(content())]


def test_a_part_is_not_larger_than_asked_for_unless_a_row_is() -> None:
    many = filled(*(cells("t", str(row), {"c": ["x" * 100, hlc(row)]}) for row in range(50)))
    after = ""
    sizes: list[int] = []
    while after or not sizes:
        text, after = export_part(many, "mergeable", after, 1_000)
        sizes.append(len(text))
    assert max(sizes) <= 1_000
    assert len(export_part(many, "mergeable", "", 1)[0]) < 10


@pytest.mark.parametrize("at", range(1, 12))
def test_a_file_of_many_moments_agrees_with_itself(at: int) -> None:
    replica = filled(
        *(cells(table, row, {"c": [1, hlc(1)]}) for table in "ace" for row in "bdf"),
        values({"b": [1, hlc(1)], "d": [1, hlc(1)]}),
    )
    texts: list[str] = []
    after = ""
    while after or not texts:
        text, after = export_part(replica, "mergeable", after, 1)
        texts.append(text)
        if len(texts) == at:
            for change in (
                *(cells(table, row, {"c": [2, hlc(2)]}) for table in "abcdef" for row in "abcdef"),
                values({each: [2, hlc(2)] for each in "abcde"}),
            ):
                assert replica.apply(change, NOW) is not None
    content = json.loads("".join(texts))
    stated = (content[0][2], content[1][2])
    loaded = replica_of([*content, 1])
    assert loaded.content_hashes() == stated
    assert loaded.table_hashes() == {each: table[2] for each, table in content[0][0].items()}


@pytest.mark.parametrize("after", ["7", "[1,2,3,4,5,6,7,8]", "{"])
def test_a_place_that_is_none_is_refused(after: str) -> None:
    with pytest.raises(ValueError, match=r"place|Expecting"):
        export_part(some(), "content", after, 1)
