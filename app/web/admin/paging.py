"""Lists in pages, by keyset: a page begins behind the last item of the page before it.

A cursor is that item's position in the order of the list, together with a digest of the list's
name and filters, so one that was garbled, or made by another list or for other filters, is
refused. It is opaque to clients and good for as long as they like: no page is held open here.

A list asks its store for one item more than the page holds; whether that one came tells whether
there is a next page.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple, TypeVar

from ...core.admin_errors import CursorInvalid
from ...core.codec import JsonError, dump_json, parse_json
from .models import PageQuery

_DIGEST_BYTES: Final = 9

_Row = TypeVar("_Row")

Position = tuple[Any, ...]


class Slice(NamedTuple):
    """What a page asks of its store.

    Attributes:
        after: The position behind which the page begins, or None for the first page.
        limit: How many items to fetch: one more than the page holds.
    """

    after: Position | None
    limit: int


class Keyset:
    """The order of one list.

    Args:
        name: The list's, such as its operation's.
        kinds: The types of a position's parts: str, int, bytes. The whole position must be
            unique in the list.
    """

    def __init__(self, name: str, *kinds: type) -> None:
        self._name = name
        self._kinds = kinds

    def slice(self, query: PageQuery) -> Slice:
        """Read a query's cursor.

        Raises:
            CursorInvalid: It is garbled, or belongs to another list or other filters.
        """
        after = None if query.cursor is None else self._read(query.cursor, query)
        return Slice(after, query.limit + 1)

    def page(
        self, query: PageQuery, rows: Sequence[_Row], position: Callable[[_Row], Position]
    ) -> tuple[list[_Row], str | None]:
        """Cut what was fetched to the page; returns its rows and the cursor of the next one."""
        if len(rows) <= query.limit:
            return list(rows), None
        kept = list(rows[: query.limit])
        return kept, self.cursor(position(kept[-1]), query)

    def cursor(self, position: Position, query: PageQuery) -> str:
        """The cursor of a page that begins there, for lists that cut their pages themselves."""
        parts = [_plain(part) for part in position]
        text = dump_json([self._digest(parts, query), *parts])
        return urlsafe_b64encode(text).decode().rstrip("=")

    def _read(self, cursor: str, query: PageQuery) -> Position:
        try:
            text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            digest, *parts = parse_json(text)
            pairs = zip(parts, self._kinds, strict=True)
            position = tuple(_of_kind(part, kind) for part, kind in pairs)
        except (ValueError, TypeError, JsonError, binascii.Error):
            raise CursorInvalid from None
        if digest != self._digest(parts, query):
            raise CursorInvalid
        return position

    def _digest(self, parts: list[Any], query: PageQuery) -> str:
        filters = query.model_dump(mode="json", exclude={"limit", "cursor"})
        text = dump_json([self._name, sorted(filters.items()), parts])
        return urlsafe_b64encode(blake2b(text, digest_size=_DIGEST_BYTES).digest()).decode()


def _plain(part: Any) -> Any:
    return part.hex() if isinstance(part, bytes) else part


def _of_kind(part: Any, kind: type) -> Any:
    """Raises ValueError or TypeError for a part that no list has written."""
    if kind is bytes:
        return bytes.fromhex(part)
    if type(part) is not kind:
        raise TypeError
    if isinstance(part, str) and "\0" in part:
        raise ValueError
    return part
