"""Cursors of lists: only those that the same list made for the same filters are taken."""

import pytest

from app.core.admin_errors import CursorInvalid
from app.web.admin.models import PageQuery
from app.web.admin.paging import Keyset


class Coloured(PageQuery):
    colour: str | None = None


KEYSET = Keyset("things", str, int, bytes)
ROWS = [("a", 1, b"\0\xff"), ("a", 2, b""), ("b/ü", 2, b"x")]


def position(row: tuple[str, int, bytes]) -> tuple[str, int, bytes]:
    return row


def cursor_after_two(colour: str | None = None) -> str:
    _, cursor = KEYSET.page(Coloured(limit=2, colour=colour), ROWS, position)
    assert cursor is not None
    return cursor


def test_a_store_is_asked_for_one_more_than_the_page_holds() -> None:
    assert KEYSET.slice(Coloured(limit=2)) == (None, 3)


def test_the_next_page_begins_behind_the_last_item_of_the_one_before() -> None:
    kept, cursor = KEYSET.page(Coloured(limit=1), ROWS, position)
    assert kept == ROWS[:1]
    assert KEYSET.slice(Coloured(limit=1, cursor=cursor)) == (ROWS[0], 2)


def test_the_last_page_has_no_cursor() -> None:
    assert KEYSET.page(Coloured(limit=3), ROWS, position) == (ROWS, None)


def test_another_limit_goes_on_with_the_same_cursor() -> None:
    assert KEYSET.slice(Coloured(limit=100, cursor=cursor_after_two())).after == ROWS[1]


def test_a_cursor_for_other_filters_is_refused() -> None:
    with pytest.raises(CursorInvalid):
        KEYSET.slice(Coloured(cursor=cursor_after_two(), colour="red"))
    assert KEYSET.slice(Coloured(cursor=cursor_after_two("red"), colour="red")).after == ROWS[1]


def test_a_cursor_of_another_list_is_refused() -> None:
    for other in (Keyset("others", str, int, bytes), Keyset("things", str, int)):
        with pytest.raises(CursorInvalid):
            other.slice(Coloured(cursor=cursor_after_two()))


@pytest.mark.parametrize("garbled", ["", "!", "W10", "e30", "bnVsbA", "ü", "Wzdd", "A" * 4_000])
def test_a_garbled_cursor_is_refused(garbled: str) -> None:
    with pytest.raises(CursorInvalid):
        KEYSET.slice(Coloured(cursor=garbled))


def test_a_cursor_with_any_character_changed_is_refused() -> None:
    cursor = cursor_after_two()
    for index in range(len(cursor) - 1):
        other = "A" if cursor[index] != "A" else "B"
        with pytest.raises(CursorInvalid):
            KEYSET.slice(Coloured(cursor=cursor[:index] + other + cursor[index + 1 :]))
