"""How a replica lies in storage: one key a row, one a value, and nodes for what is left.

    ~n                   [tablesHlc, tablesExtra, valuesHlc]     only if one of them is not empty
    ~r"table","row"      the row's bytes
    ~t"table"            [hlc, extra]                            only if needed
    ~v"value"            the value's leaf

The mark before each key keeps them apart from the keys that a subclass uses in the same object;
it sorts behind letters and digits. Ids are JSON in ASCII, so a key is text that sorts as its
bytes do. Where a key would exceed `KEY_BYTES` it is the mark, the kind's letter and a digest, and
the ids stand before the payload. A payload over `CHUNK_BYTES` lies under several keys, the first
one telling how many; they sort right behind it, so one pass over the entries in key order finds
everything in its place.

Nothing derivable is stored: hashes are computed again, and `extra` is the history-dependent rest
of section 4 that no row shows.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from ..sdk.json import dump_json, dump_json_ascii, parse_json
from .turns import ROWS_A_TURN, give_way

MARK: Final = "~"
"""What every key of a replica begins with, and none of a subclass's own."""

KEY_BYTES: Final = 1024
CHUNK_BYTES: Final = 1 << 20

Entry = tuple[str, bytes | None]
"""A storage key and what to put there, or None to delete it."""

_ROOT: Final = "~n"
_ROW: Final = "~r"
_TABLE: Final = "~t"
_VALUE: Final = "~v"
_HEAD_CHARS: Final = len(_ROW)

_IDS_FIRST = b"="
_SPLIT = b"+"
_CHUNK_KEY = re.compile(r"#[0-9]{6}\Z")


class Kind(StrEnum):
    """What a key holds: the letter behind the mark."""

    ROOT = "n"
    ROW = "r"
    TABLE = "t"
    VALUE = "v"


_KINDS: Final = {f"{MARK}{kind}": kind for kind in Kind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One logical entry, read back: its kind, the ids it belongs to, and its payload."""

    kind: Kind
    ids: tuple[str, ...]
    payload: bytes


def row_entry(table_id: str, row_id: str, row: bytes) -> tuple[str, bytes]:
    """Return the entry of a row."""
    return _entry(_ROW, [table_id, row_id], row)


def plain_row_entry(table_id: str, row_id: str, row: bytes) -> tuple[str, bytes]:
    """Return what `row_entry` does, for ids whose JSON is themselves between quotes."""
    key = f'{_ROW}"{table_id}","{row_id}"'
    if key.isascii() and len(key) <= KEY_BYTES:
        return key, row
    return row_entry(table_id, row_id, row)


def value_entry(value_id: str, leaf: list[Any]) -> tuple[str, bytes]:
    """Return the entry of a value."""
    return _entry(_VALUE, [value_id], dump_json(leaf))


def table_entry(table_id: str, hlc: str, extra: int) -> tuple[str, bytes]:
    """Return the entry of a table's node."""
    return _entry(_TABLE, [table_id], dump_json([hlc, extra]))


def root_entry(tables_hlc: str, tables_extra: int, values_hlc: str) -> tuple[str, bytes]:
    """Return the entry of the root's node."""
    return (_ROOT, dump_json([tables_hlc, tables_extra, values_hlc]))


def is_piece(key: str) -> bool:
    """Whether a key holds a further piece of the payload under the key before it."""
    return _CHUNK_KEY.search(key) is not None


class Splitter:
    """Turns entries into what storage takes, and storage back into entries.

    It remembers which keys are split, so that a payload that became smaller leaves no rest.
    """

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def split(self, entries: Sequence[tuple[str, bytes]]) -> Sequence[Entry]:
        """Return the puts and deletes for `entries`; they belong into one commit."""
        if not self._counts and _all_small(entries):
            return entries
        result: list[Entry] = []
        for at, (key, payload) in enumerate(entries):
            if not (at + 1) & ROWS_A_TURN:
                give_way()
            before = self._counts.pop(key, 1)
            pieces = _cut(payload)
            if len(pieces) > 1:
                self._counts[key] = len(pieces)
                pieces[0] = b"%b%d\n%b" % (_SPLIT, len(pieces), pieces[0])
            result.append((key, pieces[0]))
            result += [(_chunk_key(key, at), piece) for at, piece in enumerate(pieces) if at]
            result += [(_chunk_key(key, at), None) for at in range(len(pieces), before)]
        return result

    def join(self, stored: Iterable[tuple[str, bytes]]) -> Iterator[Stored]:
        """Return the entries of a whole storage, given in key order.

        Raises:
            ValueError: A key or value is not of this layout, or a piece is missing.
        """
        entries = iter(stored)
        for key, value in entries:
            if _CHUNK_KEY.search(key):
                raise ValueError(f"a piece without its head: {key[:80]}")
            payload = value
            if value.startswith(_SPLIT):
                count, _, head = value[1:].partition(b"\n")
                self._counts[key] = int(count)
                payload = head + b"".join(_rest(key, int(count), entries))
            yield _stored(key, payload)


def _entry(head: str, ids: list[str], payload: bytes) -> tuple[str, bytes]:
    text = dump_json(ids)
    key = head + (text[1:-1].decode() if text.isascii() else dump_json_ascii(ids)[1:-1])
    if len(key) <= KEY_BYTES:
        return key, payload
    digest = sha256(key.encode()).hexdigest()
    return head + digest, b"%b%b\n%b" % (_IDS_FIRST, dump_json_ascii(ids).encode(), payload)


def _stored(key: str, payload: bytes) -> Stored:
    kind = _KINDS.get(key[:_HEAD_CHARS])
    if kind is None:
        raise ValueError(f"not a key of a replica: {key[:80]}")
    if kind is Kind.ROOT:
        return Stored(kind=kind, ids=(), payload=payload)
    if key[_HEAD_CHARS] == '"':
        return Stored(kind=kind, ids=tuple(parse_json(f"[{key[_HEAD_CHARS:]}]")), payload=payload)
    ids, _, rest = payload.removeprefix(_IDS_FIRST).partition(b"\n")
    return Stored(kind=kind, ids=tuple(parse_json(ids)), payload=rest)


def _all_small(entries: Sequence[tuple[str, bytes]]) -> bool:
    for _, payload in entries:  # noqa: SIM110 - all() costs three times as much, once a change
        if len(payload) > CHUNK_BYTES:
            return False
    return True


def _cut(payload: bytes) -> list[bytes]:
    return [
        payload[start : start + CHUNK_BYTES] for start in range(0, len(payload), CHUNK_BYTES)
    ] or [payload]


def _rest(key: str, count: int, entries: Iterator[tuple[str, bytes]]) -> Iterator[bytes]:
    for at in range(1, count):
        following = next(entries, None)
        if following is None or following[0] != _chunk_key(key, at):
            raise ValueError(f"a piece is missing: {key[:80]}")
        yield following[1]


def _chunk_key(key: str, at: int) -> str:
    return f"{key}#{at:06d}"
