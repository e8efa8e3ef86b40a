"""Stored rows as the admin plane tells them, and the range of keys that a query asks for."""

from dataclasses import replace

from ...core.stored_keys import StoredKey, prefix_end, version_of
from ...core.tagged_json import to_tagged
from ...core.values import KeyRange
from .models import instant_of_ms
from .storage_models import KeysQuery, StoredEntry


def key_entry_of(found: StoredKey, *, guarded: bool) -> StoredEntry:
    """A key without its value."""
    return StoredEntry(
        key=found.key.decode(),
        kind="bytes" if found.raw else "json",
        size_bytes=found.size_bytes,
        expires_at=None if found.expires_ms is None else instant_of_ms(found.expires_ms),
        guarded=guarded,
    )


def entry_of(key: bytes, stored: bytes, *, guarded: bool) -> StoredEntry:
    """The same of a row that was read."""
    return key_entry_of(StoredKey.from_row(key, len(stored), stored), guarded=guarded)


def valued_entry_of(key: bytes, stored: bytes, *, guarded: bool) -> StoredEntry:
    """A row with its value and version."""
    told = entry_of(key, stored, guarded=guarded)
    return told.model_copy(update={"version": version_of(stored), "value": to_tagged(stored)})


def range_of(query: KeysQuery, after: bytes | None, limit: int) -> KeyRange | None:
    """The keys of a page; None when there can be none."""
    low = b"" if query.start is None else query.start.encode()
    high = None if query.end is None else query.end.encode()
    if query.prefix:
        raw = query.prefix.encode()
        low, last = max(low, raw), prefix_end(raw)
        high = last if high is None else min(high, last)
    if after is not None and query.reverse:
        high = after if high is None else min(high, after)
    elif after is not None:
        low = max(low, after + b"\0")
    if high is not None and low >= high:
        return None
    return replace(KeyRange(start=low or None, end=high), reverse=query.reverse, limit=limit)
