"""Ranges of keys, and committed pages with unconfirmed writes laid over them."""

from collections.abc import Mapping

import pytest

from app.core.ids import ObjectIds
from app.core.values import KeyRange, Page
from app.room.scan import committed_pages, key_range, merge_page, within
from app.testing.memory import MemoryDatabase, MemoryObjectStore

_ID = ObjectIds(b"key of a cluster").from_name("scan", "x")


def _range(
    prefix: str | None = None,
    start: str | None = None,
    start_after: str | None = None,
    end: str | None = None,
) -> KeyRange | None:
    return key_range(prefix, start, start_after, end, reverse=False, limit=None)


def _bounds(wanted: KeyRange | None) -> tuple[bytes | None, bytes | None]:
    assert wanted is not None
    return wanted.start, wanted.end


def test_without_bounds_everything_is_wanted() -> None:
    assert _bounds(_range()) == (None, None)
    assert _bounds(_range(prefix="")) == (None, None)


def test_93_94_start_is_inclusive_end_and_start_after_are_exclusive() -> None:
    assert _bounds(_range(start="a", end="c")) == (b"a", b"c")
    assert _bounds(_range(start_after="a")) == (b"a\0", None)


def test_95_start_together_with_start_after_raises() -> None:
    with pytest.raises(TypeError, match="exclude one another"):
        _range(start="a", start_after="a")


@pytest.mark.parametrize("limit", [0, -1])
def test_101_a_limit_below_one_raises(limit: int) -> None:
    with pytest.raises(TypeError, match="at least 1"):
        key_range(None, None, None, None, reverse=False, limit=limit)


def test_96_a_prefix_is_a_range() -> None:
    assert _bounds(_range(prefix="ab")) == (b"ab", b"ac")


def test_97_a_prefix_intersects_start_and_end() -> None:
    assert _bounds(_range(prefix="b", start="a", end="z")) == (b"b", b"c")
    assert _bounds(_range(prefix="b", start="bb", end="bd")) == (b"bb", b"bd")
    assert _range(prefix="b", start="c") is None
    assert _range(prefix="b", end="b") is None


@pytest.mark.parametrize(
    ("prefix", "end"),
    [("a\U0010ffff", b"a\xf4\x8f\xbf\xc0"), ("\U0010ffff", b"\xf4\x8f\xbf\xc0")],
)
def test_98_a_prefix_that_ends_in_the_highest_character_is_still_bounded(
    prefix: str, end: bytes
) -> None:
    assert _bounds(_range(prefix=prefix)) == (prefix.encode(), end)


@pytest.mark.parametrize(("start", "end"), [("b", "b"), ("c", "b")])
def test_106_a_start_at_or_behind_the_end_is_an_empty_range(start: str, end: str) -> None:
    assert _range(start=start, end=end) is None


def test_a_key_is_within_from_the_start_up_to_the_end() -> None:
    wanted = KeyRange(start=b"b", end=b"d")
    assert [within(key, wanted) for key in (b"a", b"b", b"c", b"d")] == [False, True, True, False]


def test_unconfirmed_writes_replace_add_and_delete() -> None:
    merged = merge_page(
        [(b"a", b"1"), (b"b", b"2"), (b"z", b"9")],
        {b"a": None, b"b": b"new", b"c": b"3", b"x": b"out of range", b"y": None},
        KeyRange(start=b"a", end=b"d"),
    )
    assert merged == [(b"b", b"new"), (b"c", b"3")]


def test_the_order_of_the_range_is_the_order_of_the_rows() -> None:
    merged = merge_page([(b"a", b"1")], {b"b": b"2"}, KeyRange(reverse=True))
    assert merged == [(b"b", b"2"), (b"a", b"1")]


class SmallPages(MemoryObjectStore):
    """A store whose pages have two rows, as those of a large object are cut."""

    async def scan(self, object_id: object, wanted: KeyRange) -> Page:
        rows = self._database.objects[_ID.uuid].rows
        keys = [key for key in sorted(rows, reverse=wanted.reverse) if within(key, wanted)]
        keys = keys[: wanted.limit]
        return Page(rows=[(key, rows[key]) for key in keys[:2]], more=len(keys) > 2)


async def _listed(
    rows: str, overlay: Mapping[bytes, bytes | None], wanted: KeyRange
) -> list[list[str]]:
    database = MemoryDatabase()
    store = SmallPages(database)
    await store.claim(_ID, database.add_worker())
    database.objects[_ID.uuid].rows = {letter.encode(): b"old" for letter in rows}
    return [
        [key.decode() for key, _ in merge_page(page, stretch, wanted)]
        async for page, stretch in committed_pages(store, _ID, wanted, overlay, now_ms=0)
    ]


async def test_pages_follow_one_another_without_gap_or_repetition() -> None:
    assert await _listed("abcde", {}, KeyRange()) == [["a", "b"], ["c", "d"], ["e"]]
    assert await _listed("abcde", {}, KeyRange(reverse=True)) == [["e", "d"], ["c", "b"], ["a"]]


async def test_each_page_carries_the_unconfirmed_writes_of_its_own_stretch() -> None:
    overlay = {b"aa": b"new", b"b": None, b"cc": b"new", b"zz": b"new"}
    assert await _listed("abcde", overlay, KeyRange()) == [
        ["a", "aa"],
        ["c", "cc", "d"],
        ["e", "zz"],
    ]
    assert await _listed("abcde", overlay, KeyRange(reverse=True)) == [
        ["zz", "e", "d"],
        ["cc", "c"],
        ["aa", "a"],
    ]


async def test_an_object_without_committed_rows_is_one_page_of_what_is_unconfirmed() -> None:
    assert await _listed("", {b"m": b"new"}, KeyRange()) == [["m"]]


async def test_102_a_limit_reaches_past_the_rows_that_are_deleted_but_not_committed() -> None:
    deleted: dict[bytes, bytes | None] = {b"a": None, b"b": None, b"c": None}
    pages = await _listed("abcdefgh", deleted, KeyRange(limit=2))
    assert [key for page in pages for key in page][:2] == ["d", "e"]
    assert len(pages) == 3, "and no further than it has to"


async def test_103_a_write_beyond_the_limit_does_not_push_a_row_out() -> None:
    pages = await _listed("abcz", {b"x": b"new"}, KeyRange(limit=2))
    assert [key for page in pages for key in page][:2] == ["a", "b"]
