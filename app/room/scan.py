"""Ranges of keys, and merging committed rows with what is not committed yet.

Keys are ordered by their bytes; the upper bound of a prefix is found on bytes as well
(conformance list, H).
"""

from collections.abc import AsyncGenerator, Mapping

from ..core.errors import StorageRefused
from ..core.ids import ObjectId
from ..core.ports import ObjectStore
from ..core.storage_codec import EXPIRING, expired
from ..core.stored_keys import prefix_end
from ..core.values import KeyRange

Rows = list[tuple[bytes, bytes]]
Overlay = Mapping[bytes, bytes | None]


def key_range(
    prefix: str | None,
    start: str | None,
    start_after: str | None,
    end: str | None,
    *,
    reverse: bool,
    limit: int | None,
) -> KeyRange | None:
    """Return the intersection of the bounds; None when it is empty.

    Raises:
        TypeError: `start` together with `start_after`, or a limit below 1.
        StorageRefused: A bound holds a lone surrogate.
    """
    try:
        return _key_range(prefix, start, start_after, end, reverse=reverse, limit=limit)
    except UnicodeEncodeError:
        raise StorageRefused("a bound of a list holds a lone surrogate") from None


def _key_range(
    prefix: str | None,
    start: str | None,
    start_after: str | None,
    end: str | None,
    *,
    reverse: bool,
    limit: int | None,
) -> KeyRange | None:
    if start is not None and start_after is not None:
        raise TypeError("start and start_after exclude one another")
    if limit is not None and limit < 1:
        raise TypeError("limit must be at least 1")
    low = start.encode() if start is not None else None
    if start_after is not None:
        low = start_after.encode() + b"\0"
    high = end.encode() if end is not None else None
    if prefix:
        raw = prefix.encode()
        low = raw if low is None else max(low, raw)
        after = prefix_end(raw)
        high = after if high is None else min(high, after)
    if low is not None and high is not None and low >= high:
        return None
    return KeyRange(start=low, end=high, reverse=reverse, limit=limit)


def within(key: bytes, wanted: KeyRange) -> bool:
    """Whether the range has the key."""
    return (wanted.start is None or key >= wanted.start) and (
        wanted.end is None or key < wanted.end
    )


def merge_page(committed: Rows, overlay: Overlay, wanted: KeyRange) -> Rows:
    """Lay unconfirmed writes on committed rows; in the order of the range."""
    merged = {key: value for key, value in committed if within(key, wanted)}
    for key, value in overlay.items():
        if not within(key, wanted):
            continue
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
    return sorted(merged.items(), reverse=wanted.reverse)


async def committed_pages(
    store: ObjectStore,
    object_id: ObjectId,
    wanted: KeyRange,
    overlay: Overlay,
    *,
    now_ms: int,
) -> AsyncGenerator[tuple[Rows, Overlay], None]:
    """Yield the range's committed rows page by page, each with the overlay of its stretch.

    A limit is widened by the deletions in the overlay, so that a limited list stays right around
    unfinished writes. Rows that are over at `now_ms` are left out and count for no limit.
    """
    deletions = sum(value is None for value in overlay.values())
    low, high = wanted.start, wanted.end
    left = None if wanted.limit is None else wanted.limit + deletions
    most = left  # grows: rows that are over must not cost a call each
    while True:
        page = await store.scan(
            object_id, KeyRange(start=low, end=high, reverse=wanted.reverse, limit=most)
        )
        live = [row for row in page.rows if row[1][0] != EXPIRING or not expired(row[1], now_ms)]
        cut = most is not None and len(page.rows) == most  # by us; then the store knows of no more
        if left is not None and most is not None:
            left = max(0, left - len(live))
            most = max(left, 4 * most)
        stop = not page.rows or (not page.more and not (cut and left))
        edge = None if stop else page.rows[-1][0]
        yield live, _stretch(overlay, low, high, edge, reverse=wanted.reverse)
        if edge is None or left == 0:
            return
        low, high = (low, edge) if wanted.reverse else (edge + b"\0", high)


def _stretch(
    overlay: Overlay, low: bytes | None, high: bytes | None, edge: bytes | None, *, reverse: bool
) -> Overlay:
    """The overlay's part between where this page began and its last key."""
    if edge is not None:
        low, high = (edge, high) if reverse else (low, edge + b"\0")
    bounds = KeyRange(start=low, end=high)
    return {key: value for key, value in overlay.items() if within(key, bounds)}
